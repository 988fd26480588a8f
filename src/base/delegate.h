// A bound method in two pointers, for callbacks. No allocation, no ownership.
#pragma once

#include <utility>

namespace sluice {

template <class Signature>
class Delegate;

/// Calls one member function of one object. Copyable; the object must outlive the watcher that
/// holds the delegate, which is natural where the watcher is a member of that object.
template <class R, class... Args>
class Delegate<R(Args...)> {
 public:
  Delegate() = default;

  template <auto Method, class T>
  static Delegate to(T* object) noexcept {
    return Delegate(object, [](void* self, Args... args) -> R {
      return (static_cast<T*>(self)->*Method)(std::forward<Args>(args)...);
    });
  }

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }
  explicit operator bool() const noexcept { return call_ != nullptr; }

 private:
  using Call = R (*)(void*, Args...);
  Delegate(void* object, Call call) noexcept : object_(object), call_(call) {}

  void* object_ = nullptr;
  Call call_ = nullptr;
};

/// Converts to the Delegate type that the watcher takes: `Timer idle_{loop_,
/// bind<&Client::on_idle>(this)}`.
template <auto Method, class T>
struct Binder {
  T* object;
  template <class Signature>
  operator Delegate<Signature>() const noexcept {  // NOLINT: implicit by design
    return Delegate<Signature>::template to<Method>(object);
  }
};

template <auto Method, class T>
Binder<Method, T> bind(T* object) noexcept {
  return {object};
}

}  // namespace sluice

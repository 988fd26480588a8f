// An intrusive doubly linked list: joining, leaving and popping are O(1) and allocate nothing.
#pragma once

#include <cassert>
#include <cstddef>

namespace sluice {

/// Which list an element is in, for assertions: builds without them do not keep it.
class ListMark {
 public:
  bool operator==(const ListMark&) const = default;
#ifdef NDEBUG
  void set(const void*) noexcept {}
  bool is(const void*) const noexcept {
    return true;
  }
#else
  void set(const void* list) noexcept {
    list_ = list;
  }
  bool is(const void* list) const noexcept {
    return list_ == list;
  }

 private:
  const void* list_ = nullptr;
#endif
};

/// What an element inherits to be in at most one List<T, Tag> at a time.
template <class Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { assert(!is_linked()); }

  bool is_linked() const noexcept { return next_ != nullptr; }
  const ListMark& list() const noexcept { return list_; }

 private:
  template <class T, class U>
  friend class List;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
  [[no_unique_address]] ListMark list_;
};

/// A list of elements it does not own. Not movable: the elements point into it.
template <class T, class Tag = void>
class List {
 public:
  using Node = ListNode<Tag>;

  List() {
    head_.prev_ = &head_;
    head_.next_ = &head_;
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    assert(empty());
    head_.next_ = nullptr;
  }

  bool empty() const noexcept { return head_.next_ == &head_; }
  std::size_t size() const noexcept { return size_; }
  T& front() noexcept { return *static_cast<T*>(head_.next_); }
  const T& front() const noexcept { return *static_cast<const T*>(head_.next_); }
  /// Only where no other list has the tag.
  bool holds(const T& element) const noexcept {
    return static_cast<const Node&>(element).is_linked();
  }

  /// The element after this one, or null at the end.
  T* next(T& element) noexcept {
    Node* node = static_cast<Node&>(element).next_;
    return node == &head_ ? nullptr : static_cast<T*>(node);
  }

  void push_back(T& element) noexcept { insert(element, head_); }
  void push_front(T& element) noexcept { insert(element, *head_.next_); }
  void insert_before(T& element, T& position) noexcept { insert(element, position); }

  void remove(T& element) noexcept {
    Node& node = element;
    assert(node.is_linked() && node.list_.is(this));
    node.prev_->next_ = node.next_;
    node.next_->prev_ = node.prev_;
    node.prev_ = nullptr;
    node.next_ = nullptr;
    node.list_.set(nullptr);
    --size_;
  }

  T& pop_front() noexcept {
    T& element = front();
    remove(element);
    return element;
  }

 private:
  void insert(Node& node, Node& before) noexcept {
    assert(!node.is_linked());
    node.prev_ = before.prev_;
    node.next_ = &before;
    before.prev_->next_ = &node;
    before.prev_ = &node;
    node.list_.set(this);
    ++size_;
  }

  Node head_;
  std::size_t size_ = 0;
};

}  // namespace sluice

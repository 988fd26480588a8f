// Resolver, and the threads that look names up for it.
#include "event/resolver.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "event/lookup_threads.h"
#include "support.h"

namespace sluice::event {
namespace {

struct Answer {
  void on_resolved(const Result<Resolver::Addresses>& result) noexcept { given = result; }
  std::optional<Result<Resolver::Addresses>> given;
};

/// Answers a name with itself; names that begin with "slow" only once release() was called.
class NameServer {
 public:
  static Result<Addresses> ask(const std::string& host) {
    NameServer& self = instance();
    std::unique_lock lock(self.mutex_);
    self.asked_.insert(host);
    self.most_ = std::max(self.most_, ++self.now_);
    const bool is_slow = host.starts_with("slow");
    self.released_.wait(lock, [&] { return !is_slow || self.is_open_; });
    --self.now_;
    if (is_slow) return Error{"no answer"};
    return Addresses{host};
  }
  static NameServer& instance() {
    static NameServer server;
    return server;
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    asked_.clear();
    most_ = 0;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    released_.notify_all();
  }
  /// The number of names that it was asked for since hold().
  std::size_t asked() {
    const std::lock_guard lock(mutex_);
    return asked_.size();
  }
  /// How many it was asked for at the same time.
  std::size_t most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }
  bool was_asked(const std::string& host) {
    const std::lock_guard lock(mutex_);
    return asked_.contains(host);
  }

 private:
  std::mutex mutex_;
  std::condition_variable released_;
  bool is_open_ = false;
  std::size_t now_ = 0;
  std::size_t most_ = 0;
  std::multiset<std::string> asked_;
};

/// Resolvers on threads that ask the NameServer.
struct Scene {
  Scene() {
    server.hold();
    loop->use_names(threads);
  }
  ~Scene() {
    server.release();
    all.clear();
    loop.run_until([&] { return !threads.is_busy(); });
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  struct One {
    explicit One(Loop& on) : resolver(on, bind<&Answer::on_resolved>(&answer)) {}
    Answer answer;
    Resolver resolver;
  };
  /// Begins to resolve the name.
  One& resolve(const std::string& host) {
    all.push_back(std::make_unique<One>(loop));
    all.back()->resolver.resolve(host);
    return *all.back();
  }
  void resolve_slow(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      resolve("slow" + std::to_string(i));
  }
  void wait_for(const One& one) {
    loop.run_until([&] { return one.answer.given.has_value(); });
  }

  NameServer& server = NameServer::instance();
  LookupThreads threads{&NameServer::ask};
  TestLoop loop;
  std::vector<std::unique_ptr<One>> all;
};

}  // namespace

TEST_CASE("an address in digits needs no resolving", "[resolver]") {
  CHECK(Resolver::is_numeric("127.0.0.1"));
  CHECK(Resolver::is_numeric("::1"));
  CHECK_FALSE(Resolver::is_numeric("localhost"));
  CHECK_FALSE(Resolver::is_numeric("127.0.0.1:80"));
  CHECK_FALSE(Resolver::is_numeric(""));
  CHECK(Resolver::wait_for("::1").value() == "::1");
  CHECK(Resolver::is_numeric(Resolver::wait_for("localhost").value()));
  CHECK_FALSE(Resolver::wait_for("no such name"));
}

TEST_CASE("a name becomes addresses, each once, in a later turn", "[resolver]") {
  TestLoop loop;
  Answer answer;
  Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
  resolver.resolve("localhost");
  resolver.resolve("127.0.0.9");  // ignored: one name at a time
  CHECK(resolver.is_busy());
  CHECK_FALSE(answer.given);
  loop.run_until([&] { return answer.given.has_value(); });
  REQUIRE(*answer.given);
  const Resolver::Addresses& addresses = answer.given->value();
  REQUIRE_FALSE(addresses.empty());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    CHECK(Resolver::is_numeric(addresses[i]));
    for (std::size_t j = 0; j < i; ++j)
      CHECK(addresses[i] != addresses[j]);
  }
  CHECK_FALSE(resolver.is_busy());
}

TEST_CASE("a name that is none is an error that names it, in a later turn", "[resolver]") {
  TestLoop loop;
  Answer answer;
  Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
  const std::string name(2000, 'x');
  resolver.resolve(name);
  CHECK(resolver.is_busy());
  CHECK_FALSE(answer.given);
  loop.run_until([&] { return answer.given.has_value(); });
  REQUIRE_FALSE(*answer.given);
  CHECK(answer.given->error().what.find(name) != std::string::npos);
  answer.given.reset();
  resolver.resolve("127.0.0.1");
  loop.run_until([&] { return answer.given.has_value(); });
  CHECK(*answer.given);
}

TEST_CASE("a resolver that dies drops the answer still to come", "[resolver]") {
  TestLoop loop;
  Answer answer;
  {
    Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
    resolver.resolve("localhost");
  }
  {
    Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
    resolver.resolve(std::string(2000, 'x'));
  }
  loop.run_until([&] { return !loop->has_requests(); });
  CHECK_FALSE(answer.given);
}

TEST_CASE("names that get no answer hold up no other name", "[resolver]") {
  Scene scene;
  scene.resolve_slow(LookupThreads::kMostThreads - 1);
  const Scene::One& good = scene.resolve("good");
  scene.wait_for(good);
  CHECK(good.answer.given->value() == Addresses{"good"});
  CHECK(scene.all.front()->resolver.is_busy());
}

TEST_CASE("lookups are bounded, and the next one follows when one ends", "[resolver]") {
  Scene scene;
  scene.resolve_slow(LookupThreads::kMostThreads + 3);
  scene.loop.run_until([&] { return scene.server.asked() >= LookupThreads::kMostThreads; });
  const Scene::One& next = scene.resolve("next");
  scene.server.release();
  scene.wait_for(next);
  CHECK(next.answer.given->value() == Addresses{"next"});
  CHECK(scene.server.most() == LookupThreads::kMostThreads);
}

TEST_CASE("a name that nobody waits for any more is not looked up", "[resolver]") {
  Scene scene;
  scene.resolve_slow(LookupThreads::kMostThreads);
  scene.resolve("dropped");
  scene.all.pop_back();
  const Scene::One& last = scene.resolve("last");
  scene.server.release();
  scene.wait_for(last);
  CHECK_FALSE(scene.server.was_asked("dropped"));
}

TEST_CASE("names that were slow before leave half of the threads to the others", "[resolver]") {
  Scene scene;
  scene.resolve_slow(LookupThreads::kMostThreads);
  scene.server.release();
  for (const auto& each : scene.all)
    scene.wait_for(*each);
  scene.server.hold();
  for (const auto& each : scene.all)
    each->resolver.resolve("slow again");
  const Scene::One& good = scene.resolve("good");
  scene.wait_for(good);
  CHECK(good.answer.given->value() == Addresses{"good"});
  scene.loop.run_until([&] { return scene.server.asked() > LookupThreads::kMostSlow; });
  CHECK(scene.server.asked() == LookupThreads::kMostSlow + 1);
}

TEST_CASE("threads end when no name is left, and come back with the next one", "[resolver]") {
  Scene scene;
  for (int i = 0; i < 3; ++i) {
    scene.wait_for(scene.resolve("good"));
    scene.loop.run_until([&] { return !scene.threads.is_busy(); });
  }
}

TEST_CASE("a loop is closed while a name is still looked up", "[resolver]") {
  NameServer& server = NameServer::instance();
  server.hold();
  LookupThreads threads(&NameServer::ask);
  {
    TestLoop loop;
    loop->use_names(threads);
    Answer answer;
    Resolver resolver(loop, bind<&Answer::on_resolved>(&answer));
    resolver.resolve("slow");
    loop.run_until([&] { return server.was_asked("slow"); });
    CHECK(loop->has_requests());
  }
  server.release();
  TestLoop next;
  next.run_until([&] { return !threads.is_busy(); });
}

}  // namespace sluice::event

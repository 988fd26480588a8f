#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace sluice::bench {

/// Makes a broker of limited speed: answers leave in the order of the messages, at most
/// this many a second, and the wait of each is recorded. `Peer` is the receiver of an answer.
template <typename Peer>
class Pace {
 public:
  /// 0 messages a second: no limit, answers are never delayed.
  explicit Pace(unsigned per_second)
      : interval_ns_(per_second == 0 ? 0 : 1'000'000'000 / per_second) {}

  bool is_set() const { return interval_ns_ > 0; }

  void schedule(Peer* peer, std::string answer, std::int64_t now_ns) {
    if (began_ns_ == 0) began_ns_ = now_ns;
    last_due_ns_ = (last_due_ns_ > now_ns ? last_due_ns_ : now_ns) + interval_ns_;
    note(now_ns, last_due_ns_ - now_ns);
    pending_.push_back({peer, std::move(answer), last_due_ns_});
  }

  /// Hands each answer that is due to `send(peer, answer)`.
  template <typename Send>
  void release(std::int64_t now_ns, Send send) {
    while (!pending_.empty() && pending_.front().due_ns <= now_ns) {
      Pending next = std::move(pending_.front());
      pending_.pop_front();
      send(next.peer, next.answer);
    }
  }

  void forget(const Peer* peer) {
    std::erase_if(pending_, [peer](const Pending& one) { return one.peer == peer; });
  }

  /// Milliseconds until an answer may be due, rounded up; -1 when none is pending.
  int wait_ms(std::int64_t now_ns) const {
    if (pending_.empty()) return -1;
    const std::int64_t left = pending_.front().due_ns - now_ns;
    return left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000);
  }

  /// Mean waiting time of the messages of each quarter of a second, in ms; nothing where none came.
  std::vector<std::optional<double>> waited_ms() const {
    std::vector<std::optional<double>> means;
    for (const Bucket& bucket : buckets_) {
      means.emplace_back();
      if (bucket.messages > 0) means.back() = bucket.total_ms / bucket.messages;
    }
    return means;
  }

 private:
  static constexpr std::int64_t kBucketNs = 250'000'000;

  struct Pending {
    Peer* peer;
    std::string answer;
    std::int64_t due_ns;
  };
  struct Bucket {
    double total_ms = 0;
    double messages = 0;
  };

  void note(std::int64_t now_ns, std::int64_t wait_ns) {
    const auto at = static_cast<std::size_t>((now_ns - began_ns_) / kBucketNs);
    if (buckets_.size() <= at) buckets_.resize(at + 1);
    buckets_[at].total_ms += static_cast<double>(wait_ns) / 1e6;
    buckets_[at].messages += 1;
  }

  std::int64_t interval_ns_;
  std::int64_t began_ns_ = 0;
  std::int64_t last_due_ns_ = 0;
  std::deque<Pending> pending_;
  std::vector<Bucket> buckets_;
};

}  // namespace sluice::bench

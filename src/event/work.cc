#include "event/work.h"

#include <uv.h>

#include <cassert>
#include <memory>
#include <utility>

#include "event/loop.h"

namespace sluice::event {

struct Work::Request {
  uv_work_t uv{};
  Work* owner = nullptr;  // null after it was destroyed
  std::function<void()> task;
};

Work::~Work() {
  abandon();
}

void Work::abandon() noexcept {
  if (request_ == nullptr) return;
  request_->owner = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
  request_ = nullptr;
}

void Work::start(std::function<void()> task) {
  assert(!is_busy());
  auto request = std::make_unique<Request>();
  request->owner = this;
  request->task = std::move(task);
  request->uv.data = request.get();
  request_ = request.get();
  // It fails only without a callback to call.
  uv_queue_work(
      loop_.raw(), &request.release()->uv,
      [](uv_work_t* uv) { static_cast<Request*>(uv->data)->task(); },
      [](uv_work_t* uv, int) {
        const std::unique_ptr<Request> done(static_cast<Request*>(uv->data));
        if (done->owner == nullptr) return;
        done->owner->request_ = nullptr;
        done->owner->done_();
      });
}

}  // namespace sluice::event

#include "daemon/api/dicomweb/memory.h"

namespace gateway::daemon::dicomweb {
namespace {

constexpr std::uint64_t kUsedMax = 256u << 20;

}  // namespace

std::unique_lock<std::mutex> Memory::try_turn() {
  std::unique_lock turn(turn_, std::try_to_lock);
  if (turn && !has_room()) turn.unlock();
  return turn;
}

bool Memory::has_room() const {
  const std::lock_guard lock(mutex_);
  return used_ < kUsedMax;
}

Memory::Held Memory::take(std::uint64_t bytes) {
  const auto give_back = [self = shared_from_this(), bytes](const void*) {
    const std::lock_guard lock(self->mutex_);
    self->used_ -= bytes;
  };
  const std::lock_guard lock(mutex_);
  used_ += bytes;
  return {this, give_back};
}

std::shared_ptr<void> Seats::try_take() {
  const auto give_back = [self = shared_from_this()](const void*) {
    const std::lock_guard lock(self->mutex_);
    ++self->free_;
  };
  const std::lock_guard lock(mutex_);
  if (free_ == 0) return nullptr;
  --free_;
  return {this, give_back};
}

}  // namespace gateway::daemon::dicomweb

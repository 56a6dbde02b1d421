#include "core/clock.h"

#include <array>
#include <ctime>

#include "core/text.h"

namespace gateway::core {
namespace {

class SystemClock final : public Clock {
 public:
  Monotonic monotonic() const override { return std::chrono::steady_clock::now(); }
  Wall wall() const override { return std::chrono::system_clock::now(); }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

std::string to_instant(Wall time) {
  const auto since = std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
  const auto millis = ((since % 1000) + 1000) % 1000;
  const std::time_t seconds = static_cast<std::time_t>((since - millis) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> day{};
  const std::size_t size = std::strftime(day.data(), day.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string text(day.data(), size);
  text += '.';
  text += static_cast<char>('0' + millis / 100);
  text += static_cast<char>('0' + millis / 10 % 10);
  text += static_cast<char>('0' + millis % 10);
  return text + 'Z';
}

}  // namespace gateway::core

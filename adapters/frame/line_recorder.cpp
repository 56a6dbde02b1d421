#include "adapters/frame/line_recorder.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text.h"

namespace gateway::adapters::frame {
namespace {

using core::cat;

constexpr std::string_view kMark = "clinic-gateway-capture 1\n";

/// A number and the sign behind it, cut off `text`.
std::optional<std::uint64_t> take_number(std::string_view& text, char behind) {
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (code != std::errc() || length >= text.size() || text[length] != behind) return std::nullopt;
  text.remove_prefix(length + 1);
  return number;
}

}  // namespace

bool LineRecorder::begin(core::Monotonic now) {
  const std::lock_guard lock(mutex_);
  if (is_recording_) return false;
  began_ = now;
  is_full_ = false;
  recorded_ = kMark;
  is_recording_ = true;
  return true;
}

std::optional<std::string> LineRecorder::end() {
  const std::lock_guard lock(mutex_);
  if (!is_recording_) return std::nullopt;
  is_recording_ = false;
  return std::exchange(recorded_, {});
}

LineRecorder::State LineRecorder::state() const {
  const std::lock_guard lock(mutex_);
  return {is_recording_, is_full_, recorded_.size()};
}

void LineRecorder::note(std::uint64_t connection, Direction direction, std::string_view bytes,
                        core::Monotonic now) {
  if (!is_recording_ || bytes.empty()) return;
  const std::lock_guard lock(mutex_);
  if (!is_recording_ || is_full_) return;
  is_full_ = recorded_.size() + bytes.size() > kBytesMax;
  if (is_full_) return;
  const auto at = std::chrono::duration_cast<core::Milliseconds>(now - began_).count();
  recorded_ += cat(std::max<std::int64_t>(at, 0), ' ', connection, ' ',
                   static_cast<char>(direction), ' ', bytes.size(), '\n', bytes, '\n');
}

core::Result<std::vector<std::string>> heard_in(std::string_view recording) {
  const core::Error wrong(core::Code::invalid, "it is no recording of a device");
  if (!recording.starts_with(kMark)) return wrong;
  recording.remove_prefix(kMark.size());
  std::map<std::uint64_t, std::string> heard;
  while (!recording.empty()) {
    const auto at = take_number(recording, ' ');
    const auto connection = at ? take_number(recording, ' ') : std::nullopt;
    if (!connection || recording.size() < 2) return wrong;
    const bool is_heard = recording[0] == static_cast<char>(Direction::heard);
    recording.remove_prefix(2);
    const auto length = take_number(recording, '\n');
    if (!length || *length >= recording.size()) return wrong;
    if (is_heard) heard[*connection] += recording.substr(0, *length);
    recording.remove_prefix(*length + 1);
  }
  std::vector<std::string> all;
  for (auto& [connection, bytes] : heard) all.push_back(std::move(bytes));
  return all;
}

}  // namespace gateway::adapters::frame

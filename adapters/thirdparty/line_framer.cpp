#include "adapters/thirdparty/line_framer.h"

#include <algorithm>

namespace gateway::adapters::thirdparty {
namespace {

using frame::FrameEvent;
using Kind = FrameEvent::Kind;

class LineFramer final : public frame::Framer {
 public:
  LineFramer(std::size_t first_bytes_max, std::size_t line_bytes_max)
      : bytes_max_(first_bytes_max), later_bytes_max_(line_bytes_max) {}

  void feed(std::string_view bytes, core::Monotonic /*now*/,
            std::vector<FrameEvent>& events) override {
    while (!bytes.empty()) {
      const auto end = std::min(bytes.find('\n'), bytes.size());
      append(bytes.substr(0, end), events);
      if (end == bytes.size()) return;
      finish(events);
      bytes.remove_prefix(end + 1);
    }
  }
  void tick(core::Monotonic /*now*/, std::vector<FrameEvent>& /*events*/) override {}
  std::optional<core::Monotonic> due() const override { return std::nullopt; }
  bool in_message() const override { return is_first_ || is_skipping_ || !line_.empty(); }
  std::uint64_t skipped() const override { return 0; }

 private:
  void append(std::string_view piece, std::vector<FrameEvent>& events) {
    if (is_skipping_) return;
    if (piece.size() <= bytes_max_ - line_.size()) {
      line_ += piece;
      return;
    }
    line_ += piece.substr(0, kHelloBytesMax - std::min(kHelloBytesMax, line_.size()));
    line_.resize(std::min({line_.size(), kHelloBytesMax, bytes_max_}));
    events.push_back({Kind::oversize, std::move(line_)});
    is_skipping_ = true;
    line_ = {};
  }

  void finish(std::vector<FrameEvent>& events) {
    if (line_.ends_with('\r')) line_.pop_back();
    const bool is_said = is_skipping_ || !line_.empty();
    if (!line_.empty()) events.push_back({Kind::message, std::move(line_)});
    line_ = {};  // a large line's memory is given back
    is_skipping_ = false;
    if (!is_said) return;
    is_first_ = false;
    bytes_max_ = later_bytes_max_;
  }

  std::size_t bytes_max_;  // of the line that is being read
  const std::size_t later_bytes_max_;
  std::string line_;
  bool is_first_ = true;
  bool is_skipping_ = false;  // past the limit
};

}  // namespace

std::unique_ptr<frame::Framer> make_line_framer(std::size_t first_bytes_max,
                                                std::size_t line_bytes_max) {
  return std::make_unique<LineFramer>(first_bytes_max, line_bytes_max);
}

}  // namespace gateway::adapters::thirdparty

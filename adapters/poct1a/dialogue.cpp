#include "adapters/poct1a/dialogue.h"

#include <algorithm>

#include "adapters/poct1a/document_framer.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using frame::FrameEvent;

constexpr core::Milliseconds kPause{100};
constexpr core::Milliseconds kPatience{30'000};
constexpr std::chrono::hours kClockAge{24};

class HostDialogue final : public Dialogue {
 public:
  HostDialogue(std::size_t bytes_max, bool may_set_time)
      : framer_(DocumentFramer::create(bytes_max)), may_set_time_(may_set_time) {}

  void feed(std::string_view bytes, core::Monotonic now, std::vector<FrameEvent>& events) override {
    framer_->feed(bytes, now, events);
  }
  void tick(core::Monotonic now, std::vector<FrameEvent>& events) override {
    if (is_said_ && now >= due_at_) give_up(now);
    if (!step_ || is_said_ || now < due_at_) return;
    is_said_ = true;
    due_at_ = now + kPatience;
    if (*step_ == Step::set_time) clock_set_at_ = now;
    events.push_back({FrameEvent::Kind::reply, {}});
  }
  std::optional<core::Monotonic> due() const override {
    // Nothing is said into the middle of a document.
    if (!step_ || framer_->in_message()) return std::nullopt;
    return due_at_;
  }
  bool in_message() const override { return framer_->in_message(); }
  std::uint64_t skipped() const override { return framer_->skipped(); }

  Step next_step() const override { return step_.value_or(Step::end); }
  void said(std::string control_id) override { control_id_ = std::move(control_id); }
  std::string framed(std::string document) const override {
    if (!framer_->is_mllp() || document.empty()) return document;
    return core::cat('\x0b', document, "\x1c\r");
  }

  void heard(const Document& document, core::Monotonic now) override {
    const std::string& type = document.type();
    if (type == "HEL.R01") {
      greet(document);
    } else if (type == "DST.R01") {
      note_status(document);
    } else if (type == "EOT.R01") {
      if (is_saying(Step::request_observations)) step_.reset();
    } else if (type == "ACK.R01") {
      const core::Json& ack = object(document.root(), "ACK");
      const std::string verdict = value(ack, "ACK.type_cd");
      take_answer(value(ack, "ACK.ack_control_id"), verdict != "AE" && verdict != "AR", now);
    } else if (type == "ESC.R01") {
      take_answer(value(object(document.root(), "ESC"), "ESC.esc_control_id"), false, now);
    } else if (type == "END.R01") {
      is_over_ = true;
      step_.reset();
    } else if (is_saying(Step::request_observations)) {
      due_at_ = now + kPatience;  // they are coming
    }
    plan(now);
  }

 private:
  bool is_saying(Step step) const { return step_ == step && is_said_; }

  void greet(const Document& document) {
    const core::Json& device = object(document.root(), "DEV");
    // Some write it below the device, some beside.
    const core::Json& below = object(device, "DSC");
    const core::Json& can = below.is_null() ? object(document.root(), "DSC") : below;
    const auto directives = objects(can, "DSC.directives_supported_cd");
    const auto knows = [&](std::string_view name) {
      return std::any_of(directives.begin(), directives.end(),
                         [&](const auto* one) { return (*one)["@V"].text() == name; });
    };
    can_set_time_ = may_set_time_ && knows("SET_TIME");
    can_stay_ = knows("START_CONTINUOUS");
    says_what_it_can_ = !directives.empty();
    has_observations_ = has_status_ = is_asked_to_stay_ = is_over_ = false;
    clock_set_at_.reset();
    step_.reset();
  }

  void note_status(const Document& document) {
    has_status_ = true;
    const std::string waiting = value(object(document.root(), "DST"), "DST.new_observations_qty");
    // Once it was asked to stay, it sends what it has.
    has_observations_ = !is_asked_to_stay_ && waiting != "0";
  }

  void take_answer(const std::string& control_id, bool is_accepted, core::Monotonic now) {
    if (!step_ || !is_said_) return;
    // Some leave out whom they answer; only one thing is under way.
    if (!control_id.empty() && control_id != control_id_) return;
    if (is_accepted && *step_ == Step::request_observations) {
      due_at_ = now + kPatience;  // the observations follow
      return;
    }
    if (!is_accepted && *step_ == Step::start_continuous) can_stay_ = false;
    if (!is_accepted && *step_ == Step::set_time) can_set_time_ = false;
    step_.reset();
  }

  void give_up(core::Monotonic now) {
    step_.reset();
    is_said_ = false;
    plan(now);
  }

  void plan(core::Monotonic now) {
    if (step_ || is_over_ || !has_status_) return;
    is_said_ = false;
    due_at_ = now + kPause;
    if (has_observations_) {
      has_observations_ = false;
      step_ = Step::request_observations;
    } else if (can_set_time_ && (!clock_set_at_ || now - *clock_set_at_ >= kClockAge)) {
      step_ = Step::set_time;
    } else if (can_stay_) {
      if (!is_asked_to_stay_) step_ = Step::start_continuous;
      is_asked_to_stay_ = true;
    } else if (says_what_it_can_) {
      step_ = Step::end;
      is_over_ = true;
    }
  }

  std::unique_ptr<DocumentFramer> framer_;
  const bool may_set_time_;
  bool can_set_time_ = false;
  bool can_stay_ = false;
  bool says_what_it_can_ = false;
  bool has_status_ = false;
  bool has_observations_ = false;
  bool is_asked_to_stay_ = false;
  bool is_over_ = false;
  std::optional<core::Monotonic> clock_set_at_;
  std::optional<Step> step_;  // to be said, or said and not answered
  bool is_said_ = false;
  std::string control_id_;    // of what was said
  core::Monotonic due_at_{};  // say it, or wait no longer
};

}  // namespace

std::unique_ptr<Dialogue> Dialogue::create(std::size_t document_bytes_max, bool may_set_time) {
  return std::make_unique<HostDialogue>(document_bytes_max, may_set_time);
}

}  // namespace gateway::adapters::poct1a

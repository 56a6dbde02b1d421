#include "adapters/thirdparty/conversation.h"

#include "adapters/frame/crash_point.h"
#include "adapters/thirdparty/answer.h"
#include "adapters/thirdparty/handed_over.h"
#include "adapters/thirdparty/line_framer.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::thirdparty {
namespace {

using core::cat;
using core::Json;
using frame::FrameEvent;

constexpr core::Milliseconds kRetryAfter{
    5'000};  // nobody knows when a person unlocks, or cleans up

class ProgramConversation final : public frame::Conversation {
 public:
  ProgramConversation(ServedProgram& served, const FileDecoders& decoders,
                      const sync::HoldingsDoor& door, const core::Clock& clock)
      : served_(served),
        decoders_(decoders),
        door_(door),
        clock_(clock),
        framer_(make_line_framer(kHelloBytesMax, options().message_bytes_max)) {}

  frame::Framer& framer() override { return *framer_; }
  bool is_over() const override { return is_over_; }
  bool is_private() const override { return !is_welcome_; }

  core::net::Awaitable<std::string> answer(FrameEvent event) override {
    if (!is_welcome_) co_return greet(event);
    served_.traffic.see(clock_.wall());
    if (event.kind != FrameEvent::Kind::message)
      co_return refuse("", cat("the line is longer than ", key("message_max_mb"), " allows"));
    Heard heard = read_line(event.bytes);
    event.bytes = {};  // what is handed over lies in the request
    if (!heard.request.ok()) co_return refuse(heard.id, heard.request.error().message());
    if (heard.request->type == Request::Type::hello)
      co_return refuse("", "hello was said already; it is hl7, record or document");
    const core::Milliseconds wait = served_.limit.take(clock_.monotonic());
    if (wait.count() > 0) {
      co_return postpone(heard.id, cat("more than ", key("messages_per_s"), " allows"), wait);
    }
    co_return co_await take(std::move(*heard.request));
  }

 private:
  const frame::DeviceOptions& options() const { return served_.device.device.options; }
  const std::string& name() const { return options().profile.name; }
  std::string key(std::string_view last) const { return cat("device.", name(), ".", last); }

  std::string greet(const FrameEvent& event) {
    const Heard heard = read_line(event.bytes);
    const bool is_hello = event.kind == FrameEvent::Kind::message && heard.request.ok() &&
                          heard.request->type == Request::Type::hello;
    if (!is_hello)
      return send_away("say hello first: {\"type\":\"hello\",\"version\":1,\"token\":...}");
    if (heard.request->version != kVersion)
      return send_away(cat("this gateway speaks version ", kVersion));
    if (!served_.device.is_token(heard.request->token))
      return send_away(cat("the token is not the one of ", key("token_sha256")));
    is_welcome_ = true;
    served_.traffic.see(clock_.wall());
    return welcome(name(), options().message_bytes_max);
  }

  /// The first line was no good one: there is no second.
  std::string send_away(std::string_view reason) {
    is_over_ = true;
    return refuse("", reason);
  }

  core::net::Awaitable<std::string> take(Request request) {
    const std::string id = request.id;
    const bool is_hl7 = request.type == Request::Type::hl7;
    const auto holdings = door_.get();
    if (!holdings) co_return postpone(id, "the gateway is locked", kRetryAfter);
    const auto messages = messages_of(std::move(request), served_.device.device, decoders_);
    if (!messages.ok()) co_return refuse(id, messages.error().message());
    Json kept = Json::array();
    for (const auto& message : *messages) {
      const auto taken = co_await holdings->intake().take(message);
      if (!taken.ok()) {
        core::log_warn("socket", cat("device ", name(), ": ", taken.error().message()));
        // What is in already is known again when all of it comes again.
        co_return postpone(id, "it could not be stored", kRetryAfter);
      }
      frame::pass_crash_point("message-committed");
      served_.traffic.count(taken->outcome);
      note_dead(*taken);
      kept.add(told(*taken, is_hl7));
    }
    co_return accepted(id, std::move(kept));
  }

  /// The same of a repeat as of the first.
  static Json told(const sync::Taken& taken, bool is_hl7) {
    Json entry = Json::object({{"number", taken.number}});
    if (!taken.answer.empty()) entry.set(is_hl7 ? "ack" : "dead", taken.answer);
    return entry;
  }

  void note_dead(const sync::Taken& taken) const {
    if (taken.outcome != sync::Taken::Outcome::dead) return;
    core::log_warn(
        "socket", cat("device ", name(), ": message ", taken.number,
                      " is kept as a dead letter: ", taken.reason, "; see clinic-gateway letters"));
  }

  std::string refuse(const std::string& id, std::string_view reason) {
    served_.traffic.count_refused();
    core::log_warn("socket", cat("device ", name(), ": refused: ", reason));
    return refused(id, reason);
  }

  std::string postpone(const std::string& id, std::string_view reason, core::Milliseconds wait) {
    served_.traffic.count_refused();
    return later(id, reason, wait);
  }

  ServedProgram& served_;
  const FileDecoders& decoders_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::unique_ptr<frame::Framer> framer_;
  bool is_welcome_ = false;
  bool is_over_ = false;
};

}  // namespace

std::unique_ptr<frame::Conversation> make_conversation(ServedProgram& served,
                                                       const FileDecoders& decoders,
                                                       const sync::HoldingsDoor& door,
                                                       const core::Clock& clock) {
  return std::make_unique<ProgramConversation>(served, decoders, door, clock);
}

}  // namespace gateway::adapters::thirdparty

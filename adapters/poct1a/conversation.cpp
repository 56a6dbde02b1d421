#include "adapters/poct1a/conversation.h"

#include "adapters/fields/field_mapping.h"
#include "adapters/frame/crash_point.h"
#include "adapters/mapping/fhir_values.h"
#include "adapters/poct1a/dialogue.h"
#include "adapters/poct1a/host_documents.h"
#include "adapters/poct1a/message_reader.h"
#include "core/log.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;
using core::net::Awaitable;
using frame::FrameEvent;

constexpr std::size_t kConditionMax = 32;

class Poct1aConversation final : public frame::Conversation {
 public:
  Poct1aConversation(ServedDevice& served, const sync::HoldingsDoor& door, const core::Clock& clock,
                     std::string peer)
      : served_(served),
        door_(door),
        clock_(clock),
        peer_(std::move(peer)),
        dialogue_(Dialogue::create(served.device.options.message_bytes_max,
                                   served.device.options.sets_clock)) {}

  frame::Framer& framer() override { return *dialogue_; }

  Awaitable<std::string> answer(FrameEvent event) override {
    if (event.kind == FrameEvent::Kind::reply) co_return dialogue_->framed(say_next());
    served_.traffic.see(clock_.wall());
    std::string answer;
    if (event.kind == FrameEvent::Kind::message) {
      answer = co_await take(std::move(event.bytes));
    } else if (event.kind == FrameEvent::Kind::oversize) {
      answer = co_await keep_unreadable(
          std::move(event.bytes),
          cat("the message is longer than device.", name(), ".message_max_mb allows"));
    } else {
      // Whoever breaks a document off does not wait for its answer.
      co_await keep_unreadable(std::move(event.bytes),
                               "another document began before this one ended");
    }
    co_return dialogue_->framed(std::move(answer));
  }

 private:
  const std::string& name() const { return served_.device.options.profile.name; }
  const std::string& zone() const { return served_.device.options.profile.time_zone; }
  Header next_header() { return {cat(++control_ids_), local_time(clock_.wall(), zone())}; }

  std::string say_next() {
    Header header = next_header();
    std::string document = say(header, dialogue_->next_step());
    dialogue_->said(std::move(header.control_id));
    return document;
  }

  Awaitable<std::string> take(std::string bytes) {
    const auto document = Document::parse(bytes, served_.device.options.profile.character_set);
    if (!document.ok())
      co_return co_await keep_unreadable(std::move(bytes), document.error().message());
    const std::string& type = document->type();
    // They answer what the host said, and are not answered.
    const bool is_answer = type == "ACK.R01" || type == "ESC.R01";
    std::string refused;
    if (!is_answer && !door_.get()) {
      refused = "the gateway is locked; send again later";
    } else if (type == "REQ.R01") {
      refused = "the gateway has no lists for the device";
    } else if (is_kept(*document)) {
      refused = co_await store(*document, bytes);
    }
    if (!refused.empty()) {
      served_.traffic.count_refused();
      co_return acknowledge(next_header(), document->control_id(), refused);
    }
    note(*document);
    std::string answer = std::exchange(stored_answer_, {});
    if (answer.empty() && !is_answer) answer = acknowledge(next_header(), document->control_id());
    dialogue_->heard(*document, clock_.monotonic());
    co_return answer;
  }

  /// Empty: it is on stable storage, and stored_answer_ is what the device hears. Else why not.
  Awaitable<std::string> store(const Document& document, const std::string& bytes) {
    const std::string answer = acknowledge(next_header(), document.control_id());
    std::vector<Read> reads = read_document(document, bytes, hello_, served_.device, peer_, answer);
    for (Read& read : reads) {
      const auto holdings = door_.get();
      if (!holdings) co_return std::string("the gateway is locked; send again later");
      const auto taken = co_await holdings->intake().take(read.incoming);
      if (!taken.ok()) co_return not_stored(taken.error());
      note(*taken);
      if (read.kind == Kind::control) served_.traffic.count_control();
      stored_answer_ = taken->answer;
    }
    co_return std::string();
  }

  Awaitable<std::string> keep_unreadable(std::string bytes, std::string why) {
    std::string answer = acknowledge(next_header(), "", "the document could not be read");
    const auto holdings = door_.get();
    if (!holdings) co_return answer;
    const auto dead = unreadable(bytes, std::move(why), hello_, served_.device, peer_, answer);
    const auto taken = co_await holdings->intake().take(dead);
    if (!taken.ok()) co_return acknowledge(next_header(), "", not_stored(taken.error()));
    note(*taken);
    co_return taken->answer;
  }

  std::string not_stored(const core::Error& error) const {
    core::log_warn("poct1a", cat("device ", name(), ": ", error.message()));
    return "the message could not be stored; send again later";
  }

  void note(const sync::Taken& taken) {
    frame::pass_crash_point("message-committed");
    served_.traffic.count(taken.outcome);
    if (taken.outcome == sync::Taken::Outcome::dead) {
      core::log_warn("poct1a", cat("device ", name(), ": message ", taken.number,
                                   " is kept as a dead letter: ", taken.reason,
                                   "; see clinic-gateway letters"));
    }
  }

  /// What a document says of the device.
  void note(const Document& document) {
    if (document.type() == "HEL.R01") hello_ = identity_of(document);
    if (document.type() == "DST.R01")
      served_.note_condition(value(object(document.root(), "DST"), "DST.condition_cd"));
    if (is_kept(document)) return;  // it may have waited
    const std::string at =
        fields::compact_time(value(object(document.root(), "HDR"), "HDR.creation_dttm"),
                             profiles::DateOrder::year_first);
    served_.traffic.clock().note(mapping::seed_time(at, zone()), clock_.wall(), true);
  }

  ServedDevice& served_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::string peer_;
  std::unique_ptr<Dialogue> dialogue_;
  core::Json hello_ = core::Json::object();
  std::string stored_answer_;
  std::uint64_t control_ids_ = 0;
};

}  // namespace

void ServedDevice::note_condition(std::string condition) {
  const std::lock_guard lock(mutex_);
  condition_ = condition.substr(0, kConditionMax);
}

void ServedDevice::tell(core::Json& report) const {
  report.set("revision", device.profile.revision);
  const std::lock_guard lock(mutex_);
  if (!condition_.empty()) report.set("condition", condition_);
}

std::unique_ptr<frame::Conversation> make_conversation(ServedDevice& served,
                                                       const sync::HoldingsDoor& door,
                                                       const core::Clock& clock, std::string peer) {
  return std::make_unique<Poct1aConversation>(served, door, clock, std::move(peer));
}

}  // namespace gateway::adapters::poct1a

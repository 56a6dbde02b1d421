#include "adapters/hl7/hl7_server.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <list>

#include "adapters/frame/called_devices.h"
#include "adapters/frame/crash_point.h"
#include "adapters/frame/device_traffic.h"
#include "adapters/hl7/acknowledgment.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/hl7/mllp_framer.h"
#include "adapters/hl7/work_order_line.h"
#include "adapters/mapping/fhir_values.h"
#include "core/log.h"
#include "core/text.h"
#include "sync/samples.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::Json;
using frame::FrameEvent;

constexpr std::size_t kLettersLookedAt = 100;

WorkOrderLine::LookUp work_look_up(const DeviceProfile& device, const sync::HoldingsDoor& door,
                                   const core::Clock& clock) {
  using Message = std::optional<WorkOrderMessage>;
  return [device, &door, &clock](const AskedTube& tube) -> core::Result<Message> {
    const auto holdings = door.get();
    if (!holdings) return core::Error(core::Code::locked, "the gateway is locked");
    return holdings->database().read_value<Message>([&](crypto::Connection& connection) {
      return work_order_message(connection, tube, device, clock);
    });
  };
}

struct ServedDevice {
  ServedDevice(Hl7Device what, const sync::HoldingsDoor& door, const core::Clock& clock)
      : device(std::move(what)) {
    if (const profiles::Profile* model = device.known_model();
        model != nullptr && model->is_monitor)
      sampler.emplace(model->sampling);
    if (device.orders) {
      orders = std::make_shared<WorkOrderLine>(device.profile.name, *device.orders,
                                               work_look_up(device.profile, door, clock), clock);
    }
  }

  Hl7Device device;
  frame::DeviceTraffic traffic;
  std::optional<VitalsSampler> sampler;   // the listeners' thread only
  std::shared_ptr<WorkOrderLine> orders;  // null: they are in the answers
};

/// The conversation of one MLLP connection.
class MllpConversation final : public frame::Conversation {
 public:
  MllpConversation(ServedDevice& served, const sync::HoldingsDoor& door, const core::Clock& clock,
                   std::string peer)
      : served_(served),
        door_(door),
        clock_(clock),
        peer_(std::move(peer)),
        framer_(make_mllp_framer(served.device.message_bytes_max)) {}

  frame::Framer& framer() override { return *framer_; }

  core::net::Awaitable<std::string> answer(FrameEvent event) override {
    served_.traffic.see(clock_.wall());
    const DeviceProfile& profile = served_.device.profile;
    if (event.kind != FrameEvent::Kind::message) {
      const std::string why =
          event.kind == FrameEvent::Kind::oversize
              ? cat("the message is longer than device.", profile.name, ".message_max_mb allows")
              : std::string("another message began before this one ended");
      Read read = broken_message(std::move(event.bytes), profile, peer_, why, clock_);
      // Whoever breaks a message off does not wait for its answer.
      if (event.kind == FrameEvent::Kind::broken) read.incoming->answer.clear();
      const Answer given = co_await take(std::move(read));
      co_return given.text;
    }
    std::string answers;
    for (std::string& message : cut_messages(std::move(event.bytes))) {
      const Answer given = co_await take_patients(cut_patients(std::move(message)));
      answers += given.text;
    }
    co_return answers;
  }

 private:
  struct Answer {
    std::string text;
    bool is_positive = true;
  };

  /// One answer for all patients of a message: the first that is not positive.
  core::net::Awaitable<Answer> take_patients(std::vector<std::string> parts) {
    Answer worst;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      Read read = read_message(std::move(parts[i]), served_.device.profile, peer_, clock_,
                               served_.device.known_model());
      const bool is_read = read.incoming->dead_because.empty();
      if (i > 0) read.incoming->control_id += cat("/", i + 1);
      Answer given = co_await take(std::move(read));
      given.is_positive = given.is_positive && is_read;
      if (worst.is_positive) worst = std::move(given);
    }
    co_return worst;
  }

  core::net::Awaitable<Answer> take(Read read) {
    if (read.query) co_return co_await take_query(std::move(read));
    const auto holdings = door_.get();
    if (!holdings) co_return refuse(read, "the gateway is locked; send again later");
    if (read.message) note_clock(*read.message);
    std::vector<bool> due;
    if (read.vitals) {
      for (Vital& vital : *read.vitals) {
        if (vital.at == core::Wall()) vital.at = clock_.wall();
      }
      due = served_.sampler->due(*read.vitals);
      if (!keep_due(*read.incoming, *read.vitals, due))
        co_return co_await keep_sample(std::move(read), holdings);
    }
    const auto taken = co_await holdings->intake().take(read.incoming);
    if (!taken.ok()) {
      warn(taken.error().message());
      co_return refuse(read, "the message could not be stored; send again later");
    }
    frame::pass_crash_point("message-committed");
    served_.traffic.count(taken->outcome);
    if (read.is_control) served_.traffic.count_control();
    if (read.vitals) served_.sampler->note_sent(*read.vitals, due);
    if (taken->outcome == sync::Taken::Outcome::dead) warn_of_dead(*taken);
    Answer given;
    given.text = taken->answer;
    co_return given;
  }

  /// None of its values is due.
  core::net::Awaitable<Answer> keep_sample(Read read, std::shared_ptr<sync::Holdings> holdings) {
    auto sample = std::make_shared<sync::SampleMessage>();
    sample->device = served_.device.profile.name;
    sample->bytes = std::move(read.incoming->bytes);
    sample->value_count = static_cast<std::int64_t>(read.vitals->size());
    const auto kept = co_await sync::keep_sample(std::move(holdings), std::move(sample), clock_);
    if (!kept.ok()) {
      warn(kept.error().message());
      co_return refuse(read, "the message could not be stored; send again later");
    }
    frame::pass_crash_point("message-committed");
    if (*kept) {
      served_.traffic.count_sample();
    } else {
      served_.traffic.count(sync::Taken::Outcome::repeated);
    }
    Answer given;
    given.text = read.incoming->answer;
    co_return given;
  }

  /// What is to be done is looked up anew each time, for a query that is sent again too: an order
  /// that was cancelled meanwhile is told to nobody.
  core::net::Awaitable<Answer> take_query(Read read) {
    const auto holdings = door_.get();
    if (!holdings) co_return refuse_query(read, "the gateway is locked; ask again later");
    core::Result<FoundWork> found = look_up(*holdings, *read.query);
    if (!found.ok()) {
      warn(found.error().message());
      co_return refuse_query(read, "the orders could not be read; ask again later");
    }
    const QueryFault fault = fault_of(*read.query, *found);
    read.incoming->dead_because = has_letter(*holdings, *read.query, fault) ? "" : fault.why;
    const auto taken = co_await holdings->intake().take(read.incoming);
    if (!taken.ok()) {
      warn(taken.error().message());
      co_return refuse_query(read, "the query could not be stored; ask again later");
    }
    frame::pass_crash_point("message-committed");
    served_.traffic.count(taken->outcome);
    if (taken->outcome == sync::Taken::Outcome::dead) warn_of_dead(*taken);
    const auto loop = co_await boost::asio::this_coro::executor;
    WorkAnswer answer;
    answer.fault = fault;
    if (fault.verdict == Verdict::accepted) answer = answer_to(*read.query, *found, loop);
    co_return said(read, answer);
  }

  core::Result<FoundWork> look_up(sync::Holdings& holdings, const WorkQuery& query) {
    if (query.fault.verdict != Verdict::accepted) return FoundWork();
    return holdings.database().read_value<FoundWork>([&](crypto::Connection& connection) {
      return find_work(connection, query, served_.device.profile);
    });
  }

  static QueryFault fault_of(const WorkQuery& query, const FoundWork& found) {
    if (found.problem.empty()) return query.fault;
    return {Verdict::in_error, found.problem, "QPD^1^3"};
  }

  /// An analyzer asks for a tube again and again: one letter says it.
  bool has_letter(sync::Holdings& holdings, const WorkQuery& query, const QueryFault& fault) {
    if (fault.why.empty()) return false;
    using Letters = std::vector<std::string>;
    const DeviceProfile& profile = served_.device.profile;
    auto letters = holdings.database().read_value<Letters>([&](crypto::Connection& connection) {
      return sync::dead_letters(connection, profile.name, fault.why, kLettersLookedAt);
    });
    return letters.ok() && std::ranges::any_of(*letters, [&](std::string& bytes) {
             const Read one = read_message(std::move(bytes), profile, peer_, clock_);
             return one.query && one.query->specimen == query.specimen;
           });
  }

  WorkAnswer answer_to(const WorkQuery& query, const FoundWork& found,
                       const boost::asio::any_io_executor& loop) {
    WorkAnswer answer;
    if (found.left_out > 0)
      warn(cat("left out of an answer, since it is not clear whose they are: tubes ",
               found.left_out));
    if (query.is_law && served_.orders) return bring(query, found, loop);
    answer.status = found.tubes.empty() ? "NF" : "OK";
    std::size_t number = 0;
    for (const WorkOrder& one : found.tubes)
      answer.orders += work_order_segments(one, served_.device.profile, clock_.wall(), ++number);
    return answer;
  }

  /// The orders go over a line of their own, and so does that there are none.
  WorkAnswer bring(const WorkQuery& query, const FoundWork& found,
                   const boost::asio::any_io_executor& loop) {
    WorkAnswer answer;
    answer.status = query.is_all && found.tubes.empty() ? "NF" : "OK";
    std::vector<AskedTube> tubes;
    for (const WorkOrder& one : found.tubes)
      tubes.push_back({query.asker, one.specimen, !query.is_all});
    if (!query.is_all && tubes.empty()) tubes.push_back({query.asker, query.specimen, true});
    const std::string_view why = served_.orders->send(loop, std::move(tubes));
    if (why.empty()) return answer;
    warn(why);
    answer = WorkAnswer();
    answer.fault = {Verdict::in_error, std::string(why), "QPD^1"};
    return answer;
  }

  Answer refuse_query(const Read& read, std::string_view why) {
    served_.traffic.count_refused();
    WorkAnswer answer;
    answer.fault = {Verdict::in_error, std::string(why), "MSH^1"};
    answer.is_stored = false;
    return said(read, answer);
  }

  Answer said(const Read& read, const WorkAnswer& answer) const {
    return {answer_work_query(*read.message, answer, clock_),
            answer.fault.verdict == Verdict::accepted};
  }

  void note_clock(const Message& message) {
    served_.traffic.clock().note(
        mapping::written_at(message.header().field(7).text(), served_.device.profile.time_zone),
        clock_.wall(), false);
  }

  void warn(std::string_view what) const {
    core::log_warn("hl7", cat("device ", served_.device.profile.name, ": ", what));
  }
  void warn_of_dead(const sync::Taken& taken) const {
    warn(cat("message ", taken.number, " is kept as a dead letter: ", taken.reason,
             "; see clinic-gateway letters"));
  }

  Answer refuse(const Read& read, std::string_view why) {
    served_.traffic.count_refused();
    return {acknowledge(read.message ? &read.message->header() : nullptr, Verdict::in_error, why,
                        clock_),
            false};
  }

  ServedDevice& served_;
  const sync::HoldingsDoor& door_;
  const core::Clock& clock_;
  const std::string peer_;
  std::unique_ptr<frame::Framer> framer_;
};

class Server final : public Hl7Server {
 public:
  Server(std::vector<Hl7Device> devices, const sync::HoldingsDoor& door, const core::Clock& clock)
      : called_("hl7", clock) {
    for (Hl7Device& device : devices) {
      ServedDevice& served = served_.emplace_back(std::move(device), door, clock);
      called_.add(
          served.device, served.traffic,
          [&served, &door, &clock](const std::string& peer) {
            return std::make_unique<MllpConversation>(served, door, clock, peer);
          },
          [&served](Json& report) {
            if (const profiles::Profile* model = served.device.known_model())
              report.set("revision", model->revision);
          });
    }
  }
  ~Server() override { Server::stop(); }

  std::string_view name() const override { return called_.name(); }
  core::Status start() override {
    for (ServedDevice& served : served_)
      if (served.orders) served.orders->open();
    return called_.start();
  }
  void stop() override {
    for (ServedDevice& served : served_)
      if (served.orders) served.orders->close();
    called_.stop();
  }
  std::optional<std::uint64_t> turns() const override { return called_.turns(); }
  std::uint16_t port(const std::string& device) const override { return called_.port(device); }
  Json report() const override { return called_.report(); }
  frame::LineRecorder* recorder(const std::string& device) override {
    return called_.recorder(device);
  }

 private:
  std::list<ServedDevice> served_;
  frame::CalledDevices called_;
};

}  // namespace

std::unique_ptr<Hl7Server> Hl7Server::create(std::vector<Hl7Device> devices,
                                             const sync::HoldingsDoor& door,
                                             const core::Clock& clock) {
  return std::make_unique<Server>(std::move(devices), door, clock);
}

}  // namespace gateway::adapters::hl7

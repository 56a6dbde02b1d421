#include "adapters/hl7/order_uplink.h"

#include "core/text.h"
#include "sync/async_write.h"

namespace gateway::adapters::hl7 {
namespace {

using core::cat;
using core::net::Awaitable;
using sync::Delivery;
using sync::ended;
using sync::OutboxRow;
using sync::PullReport;
using sync::RowOutcome;

constexpr core::Milliseconds kLookEvery{3'000};

core::Error wrong(const core::Config& config, const std::string& key, std::string_view what) {
  return {core::Code::invalid, cat(config.where(key), ": ", key, ": ", what)};
}

/// What would have no effect.
core::Status check_keys(const core::Config& config, const std::string& uplink) {
  for (const char* last : {"peer",
                           "username",
                           "password_file",
                           "token_file",
                           "proxy",
                           "proxy_username",
                           "proxy_password_file",
                           "token_url",
                           "client_id",
                           "client_key_file",
                           "client_key_id",
                           "scope",
                           "poll_s",
                           "pull",
                           "send_kbit_per_s",
                           "compress",
                           "hours",
                           "resumable_url",
                           "resumable_over_mb",
                           "resumable_token_file"}) {
    const std::string key = cat(uplink, ".", last);
    if (config.has(key))
      return wrong(config, key, "means nothing to an uplink of kind hl7; remove it");
  }
  return {};
}

core::Result<core::net::Url> read_url(const core::Config& config, const std::string& uplink) {
  const std::string key = cat(uplink, ".url");
  GW_TRY(const core::net::Url url, mllp_url(config, key));
  if (!url.tls && !url.loopback() && !config.boolean(cat(uplink, ".plain"))) {
    return wrong(config, key,
                 "orders would go in the clear; write mllps://, or set plain = true where the "
                 "network is protected otherwise");
  }
  return url;
}

core::Status read_tls(const core::Config& config, const std::string& uplink, OrderUplink& made) {
  const auto key = [&](std::string_view last) { return cat(uplink, ".", last); };
  if (made.url.tls) {
    made.tls =
        core::net::TlsIdentity{made.url.host, config.text(key("ca_file")),
                               config.text(key("certificate_file")), config.text(key("key_file"))};
    return {};
  }
  for (const char* file : {"ca_file", "certificate_file", "key_file"}) {
    if (config.has(key(file)))
      return wrong(config, key(file), cat("is for TLS; write mllps:// in ", key("url")));
  }
  return {};
}

class OrderUplinkImpl final : public sync::Uplink {
 public:
  OrderUplinkImpl(boost::asio::any_io_executor loop, OrderUplink settings,
                  std::shared_ptr<sync::Holdings> holdings, const core::Clock& clock)
      : loop_(std::move(loop)),
        settings_(std::move(settings)),
        device_(settings_.device),
        holdings_(std::move(holdings)),
        clock_(clock) {}

  const std::string& name() const override { return device_.name; }
  std::string_view kind() const override { return "hl7"; }
  sync::UplinkLimits limits() const override { return order_uplink_limits(); }

  Awaitable<std::vector<RowOutcome>> deliver(std::vector<OutboxRow> rows) override {
    std::vector<RowOutcome> outcomes;
    for (const OutboxRow& row : rows) outcomes.push_back(co_await tell(row));
    co_return outcomes;
  }

  /// Nothing is asked of the device: its orders are looked for here.
  Awaitable<PullReport> pull() override {
    PullReport report;
    const auto news = holdings_->database().read_value<bool>(
        [this](crypto::Connection& connection) { return has_news(connection, device_); });
    bool is_more = news.ok() && *news;
    if (!news.ok()) report.error = news.error().message();
    while (is_more && !closed_) {
      auto done = std::make_shared<QueuedOrders>();
      const std::string now = core::to_instant(clock_.wall());
      crypto::Change change = [device = device_, done,
                               now](crypto::Connection& connection) -> core::Status {
        GW_TRY(*done, queue_orders(connection, device, now));
        return {};
      };
      const auto written = co_await sync::write_async(holdings_->database(), std::move(change));
      if (!written.ok()) report.error = written.error().message();
      report.applied += done->queued;
      is_more = written.ok() && !done->is_all;
    }
    // It says nothing of the device, but that nothing is found for it while this fails.
    report.reached = report.error.empty();
    report.idle = report.reached;
    co_return report;
  }

  void close() override {
    closed_ = true;
    if (line_) line_->close();
  }

 private:
  /// Says whatever is to be said of the order, one message after the other.
  Awaitable<RowOutcome> tell(OutboxRow row) {
    const auto key = sync::parse_reference(row.subject);
    if (!key || key->type != "ServiceRequest")
      co_return ended(row, Delivery::refused, "is no order");
    // An earlier attempt may have said all of it.
    bool was_told = row.perhaps_sent;
    while (!closed_) {
      const auto due = look_at(key->id);
      if (!due.ok()) co_return ended(row, Delivery::failed, due.error().message());
      if (!due->is_due()) {
        RowOutcome done = ended(row, was_told ? Delivery::delivered : Delivery::needless, "");
        done.local_version = due->version;
        done.remote_version = due->told.taken.control;
        co_return done;
      }
      if (!due->is_open() && !due->problem.empty())
        co_return ended(row, Delivery::refused, due->problem);
      RowOutcome said = co_await say_next(row, key->id);
      const bool is_taken = said.result == Delivery::delivered;
      // What was refused belongs to a time before; there may be better to say now.
      const bool was_old = due->is_open() && said.result == Delivery::refused;
      if (!is_taken && !was_old && said.result != Delivery::needless) co_return said;
      was_told = was_told || is_taken;
    }
    co_return ended(row, Delivery::unreached, "the gateway stops");
  }

  core::Result<DueOrder> look_at(const std::string& order) {
    return holdings_->database().read_value<DueOrder>(
        [&](crypto::Connection& connection) { return due_order(connection, device_, order); });
  }

  /// The next message, over a line of its own.
  Awaitable<RowOutcome> say_next(OutboxRow row, std::string order) {
    const auto tls = tls_of(settings_, tls_);
    if (!tls.ok()) co_return ended(row, Delivery::unreached, tls.error().message());
    tls_ = *tls;
    const auto line = MllpLine::create(loop_, settings_, tls_, clock_);
    line_ = line;
    RowOutcome said;
    const core::Status opened = co_await line->open();
    if (opened.ok()) {
      said = co_await say_over(*line, row, order);
    } else {
      said = ended(row, Delivery::unreached, opened.error().message());
    }
    line->close();
    line_.reset();
    co_return said;
  }

  Awaitable<RowOutcome> say_over(MllpLine& line, OutboxRow row, std::string order) {
    auto message = std::make_shared<sync::ToldMessage>();
    const core::Wall now = clock_.wall();
    crypto::Change begin = [device = device_, message, order,
                            now](crypto::Connection& connection) -> core::Status {
      GW_TRY(*message, begin_message(connection, device, order, now));
      return {};
    };
    const auto begun = co_await sync::write_async(holdings_->database(), std::move(begin));
    if (!begun.ok()) co_return ended(row, Delivery::failed, begun.error().message());
    // It changed meanwhile: the caller looks again.
    if (message->control.empty()) co_return ended(row, Delivery::needless, "");
    const auto answer = co_await line.say(message->text, message->control_id);
    if (!answer.ok()) {
      // The first time it may be the line; a message that is never answered must not hold up
      // others.
      const Delivery result = row.perhaps_sent ? Delivery::failed : Delivery::lost;
      co_return ended(row, result, answer.error().message());
    }
    const bool was_taken = answer->what == OrderAnswer::What::taken;
    crypto::Change note = [uplink = name(), order, was_taken](crypto::Connection& connection) {
      return sync::note_answered(connection, uplink, order, was_taken);
    };
    const auto noted = co_await sync::write_async(holdings_->database(), std::move(note));
    if (!noted.ok()) co_return ended(row, Delivery::failed, noted.error().message());
    co_return outcome_of(row, *answer);
  }

  static RowOutcome outcome_of(const OutboxRow& row, const OrderAnswer& answer) {
    if (answer.what == OrderAnswer::What::taken) return ended(row, Delivery::delivered, "");
    const bool is_refused = answer.what == OrderAnswer::What::refused;
    RowOutcome outcome = ended(row, is_refused ? Delivery::refused : Delivery::failed,
                               cat("the device answered ", answer.code));
    if (!answer.words.empty()) outcome.peers_words = cat(outcome.reason, ": ", answer.words);
    return outcome;
  }

  const boost::asio::any_io_executor loop_;
  const OrderUplink settings_;
  const OrderDevice& device_;
  const std::shared_ptr<sync::Holdings> holdings_;
  const core::Clock& clock_;
  std::shared_ptr<core::net::TlsContext> tls_;  // null: plain, or none was opened yet
  std::shared_ptr<MllpLine> line_;              // while a message is on its way
  bool closed_ = false;
};

}  // namespace

core::Result<OrderUplink> order_uplink(const core::Config& config, const std::string& name) {
  const std::string uplink = cat("uplink.", name);
  const auto key = [&](std::string_view last) { return cat(uplink, ".", last); };
  GW_CHECK(check_keys(config, uplink));
  OrderUplink made;
  made.device.name = name;
  GW_TRY(made.url, read_url(config, uplink));
  GW_CHECK(read_tls(config, uplink, made));
  const bool is_orm = config.text(key("order_message")) == "orm";
  made.device.form = is_orm ? OrderForm::orm : OrderForm::oml;
  OrderFilter& filter = made.device.filter;
  filter = {config.texts(key("order_categories")), config.texts(key("order_codes")),
            config.texts(key("order_performers"))};
  made.device.patient_id_issuer = config.text("dicom.patient_id_issuer");
  if (filter.categories.empty() && filter.codes.empty() && filter.performers.empty()) {
    return wrong(config, key("order_categories"),
                 "is missing; say which orders go there by it, order_codes or order_performers");
  }
  made.patience = core::Milliseconds(config.integer(key("idle_timeout_s")) * 1'000);
  return made;
}

sync::UplinkLimits order_uplink_limits() {
  sync::UplinkLimits limits;
  limits.pull_every = kLookEvery;
  return limits;
}

std::unique_ptr<sync::Uplink> make_order_uplink(boost::asio::any_io_executor loop,
                                                OrderUplink settings,
                                                std::shared_ptr<sync::Holdings> holdings,
                                                const core::Clock& clock) {
  return std::make_unique<OrderUplinkImpl>(std::move(loop), std::move(settings),
                                           std::move(holdings), clock);
}

sync::UplinkMaker order_uplinks(boost::asio::any_io_executor loop,
                                std::shared_ptr<sync::Holdings> holdings,
                                const core::Config& config, const core::Clock& clock) {
  return {order_uplink_limits(),
          [loop = std::move(loop), holdings = std::move(holdings), &config,
           &clock](const std::string& name) -> core::Result<std::unique_ptr<sync::Uplink>> {
            GW_TRY(OrderUplink settings, order_uplink(config, name));
            return make_order_uplink(loop, std::move(settings), holdings, clock);
          }};
}

}  // namespace gateway::adapters::hl7

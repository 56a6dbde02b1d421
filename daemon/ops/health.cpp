#include "daemon/ops/health.h"

#include "core/config.h"
#include "core/text.h"

namespace gateway::daemon {

using core::cat;

namespace {

core::Status read_password(const char* key, const std::string& file, std::string& password) {
  if (file.empty()) return {};
  auto read = core::read_secret_file(file);
  if (!read.ok()) return std::move(read).error().with_context(key);
  password = std::move(*read);
  return {};
}

}  // namespace

HealthPublisher::HealthPublisher(MqttSettings settings, const std::string& site,
                                 std::string boot_id, const core::Clock& clock, CentralCalls calls)
    : settings_(std::move(settings)),
      client_id_(cat("clinic-gateway-", site)),
      boot_id_(std::move(boot_id)),
      status_topic_(cat(settings_.topic_prefix, '/', site, "/status")),
      health_topic_(cat(settings_.topic_prefix, '/', site, "/health")),
      root_topic_(cat(settings_.topic_prefix, '/', site, '/')),
      clock_(clock),
      calls_(std::move(calls)) {}

HealthPublisher::~HealthPublisher() {
  if (session_ && !calls_.other)
    session_->set_retained(status_topic_, mqtt_offline_document(boot_id_).dump());
}

void HealthPublisher::set_will(core::net::MqttOptions& options) {
  if (calls_.other) {
    options.will_topic = calls_.other->will_topic;
    options.next_will = calls_.other->next_will;
    options.will_retained = false;
  } else {
    options.will_topic = status_topic_;
    options.will_payload = mqtt_offline_document(boot_id_).dump();
  }
}

void HealthPublisher::take(core::net::MqttMessage message) const {
  if (calls_.other && message.topic == calls_.other->command_topic)
    return calls_.other->on_command(message.payload);
  if (calls_.on_command) calls_.on_command(std::move(message.payload));
}

core::Status HealthPublisher::start() {
  core::net::MqttOptions options;
  options.host = settings_.host;
  options.port = settings_.port;
  options.client_id = client_id_;
  options.ca_file = settings_.ca_file;
  options.certificate_file = settings_.certificate_file;
  options.key_file = settings_.key_file;
  options.username = settings_.username;
  options.plain = settings_.plain;
  options.on_standing = calls_.on_standing;
  if (calls_.on_command) options.subscriptions.push_back(root_topic_ + "command");
  if (calls_.other) options.subscriptions.push_back(calls_.other->command_topic);
  options.on_message = [this](core::net::MqttMessage message) { take(std::move(message)); };
  set_will(options);
  options.proxy = settings_.proxy;
  options.proxy_username = settings_.proxy_username;
  GW_CHECK(read_password("mqtt.password_file", settings_.password_file, options.password));
  GW_CHECK(read_password("mqtt.proxy_password_file", settings_.proxy_password_file,
                         options.proxy_password));
  GW_TRY(session_, core::net::MqttSession::start(std::move(options), clock_));
  // What the broker has kept from before would be taken for true for ever.
  if (calls_.other) {
    for (const char* name : {"status", "health", "metrics"})
      session_->set_retained(root_topic_ + name, "");
  }
  return {};
}

void HealthPublisher::publish(const Vitals& vitals) {
  if (!session_ || calls_.other) return;
  session_->set_retained(status_topic_, mqtt_status_document(vitals).dump());
  session_->set_retained(health_topic_, health_document(vitals, ++seq_).dump());
}

void HealthPublisher::publish_document(const std::string& name, const core::Json& document) {
  if (session_) session_->set_retained(root_topic_ + name, document.dump());
}

void HealthPublisher::send(const std::string& name, std::string payload, bool retained,
                           std::function<void(bool)> answered) {
  if (!session_) return answered(false);
  session_->send(root_topic_ + name, std::move(payload), retained, std::move(answered));
}

core::net::MqttState HealthPublisher::state() const {
  return session_ ? session_->state() : core::net::MqttState{};
}

}  // namespace gateway::daemon

#include "core/net/mqtt_client.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>

#include "core/log.h"
#include "core/net/socks_bridge.h"
#include "core/text.h"

namespace gateway::core::net {
namespace {

constexpr int keepalive_s = 30;
constexpr int qos_at_least_once = 1;
constexpr std::size_t told_bytes_max = 16U << 10;
constexpr std::size_t told_max = 64;
// A broker sends no more than some twenty that are not acknowledged; of QoS 0 as many as it likes.
constexpr std::size_t taken_max = 1'000;
constexpr std::size_t cut_bytes = 4U << 10;
constexpr int connack_reasons_end = 6;    // MQTT 3.1.1, 3.2.2.3
constexpr int first_error_reason = 0x80;  // MQTT 5, 2.4

struct ClientDeleter {
  void operator()(mosquitto* client) const { mosquitto_destroy(client); }
};

std::string text_of(int code) {
  if (code == MOSQ_ERR_ERRNO) return std::strerror(errno);
  return mosquitto_strerror(code);
}

class LibraryClient final : public MqttClient {
 public:
  LibraryClient(const MqttOptions& options, TlsContext* tls)
      : peer_(cat(options.host, ':', options.port)),
        tls_(tls),
        is_lasting_(!options.filters.empty()),
        message_bytes_max_(is_lasting_ ? options.message_bytes_max : told_bytes_max),
        client_(mosquitto_new(options.client_id.c_str(), /*clean_start=*/!is_lasting_, this)) {}

  Status start(const MqttOptions& options);
  void turn(int wake_fd, Milliseconds wait) override;
  Phase phase() const override { return phase_; }
  const std::string& why_ended() const override { return why_ended_; }
  Result<int> publish(const std::string& topic, const std::string& payload, bool retained,
                      Qos qos) override;
  Status subscribe(const std::string& topic) override;
  std::vector<MqttMessage> messages() override { return std::exchange(messages_, {}); }
  void acknowledge() override;
  void drop(const std::string& why) override { end(why); }
  std::vector<Acknowledged> acknowledged() override { return std::exchange(acknowledged_, {}); }
  void disconnect() override;

 private:
  void take_message(const mosquitto_message& message);
  static LibraryClient& self(void* object) { return *static_cast<LibraryClient*>(object); }
  void listen();
  Status go_by_proxy(const MqttOptions& options);
  void end(std::string_view why);
  void end_by_code(int code);
  int carry_on(short happened);
  bool wants_to_write() const;
  int socket_error() const;

  std::string peer_;
  TlsContext* tls_;
  Phase phase_ = Phase::connecting;
  std::string why_ended_;
  std::string last_tls_error_;
  std::vector<Acknowledged> acknowledged_;
  const bool is_lasting_;
  const std::size_t message_bytes_max_;
  bool is_resumed_ = false;
  std::vector<MqttMessage> messages_;
  std::unique_ptr<SocksBridge> bridge_;  // to an HTTP proxy; null: none
  // Last: destroying it may still call back into the members above.
  std::unique_ptr<mosquitto, ClientDeleter> client_;
};

Status LibraryClient::start(const MqttOptions& options) {
  if (!client_) {
    return Error(Code::invalid,
                 cat("no MQTT client: ", text_of(errno == EINVAL ? MOSQ_ERR_INVAL : MOSQ_ERR_NOMEM),
                     "; check the client id"));
  }
  mosquitto* const client = client_.get();
  listen();
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION,
                       is_lasting_ ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5);
  // The library queues its acknowledgment before it shows the message, and would send it at once;
  // for another thread's loop it only queues.
  if (is_lasting_) mosquitto_threaded_set(client, true);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  if (!options.username.empty()) {
    const int code =
        mosquitto_username_pw_set(client, options.username.c_str(), options.password.c_str());
    if (code != MOSQ_ERR_SUCCESS)
      return Error(Code::invalid, cat("MQTT user name: ", text_of(code)));
  }
  if (!options.will_topic.empty()) {
    const int code = mosquitto_will_set(
        client, options.will_topic.c_str(), static_cast<int>(options.will_payload.size()),
        options.will_payload.data(), qos_at_least_once, options.will_retained);
    if (code != MOSQ_ERR_SUCCESS) return Error(Code::invalid, cat("MQTT will: ", text_of(code)));
  }
  if (tls_ != nullptr) {
    mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, tls_->native());
    tls_->take_failure();
  }
  if (!options.proxy.empty()) GW_CHECK(go_by_proxy(options));
  const int code = mosquitto_connect_async(client, options.host.c_str(), options.port, keepalive_s);
  if (code != MOSQ_ERR_SUCCESS) end_by_code(code);
  return {};
}

Status LibraryClient::go_by_proxy(const MqttOptions& options) {
  std::string host = "127.0.0.1";
  int port = 0;
  std::string username = options.proxy_username;
  std::string password = options.proxy_password;
  if (auto socks = read_socks_proxy(options.proxy); socks.ok()) {
    host = socks->host;
    port = socks->port;
  } else {
    GW_TRY(HttpProxy proxy, read_proxy(options.proxy, username, password));
    GW_TRY(bridge_, SocksBridge::open(std::move(proxy), {false, options.host, options.port, ""}));
    port = bridge_->port();
    username = "gateway";
    password = bridge_->password();
  }
  const bool has_name = !username.empty();
  const int code =
      mosquitto_socks5_set(client_.get(), host.c_str(), port, has_name ? username.c_str() : nullptr,
                           has_name ? password.c_str() : nullptr);
  if (code == MOSQ_ERR_SUCCESS) return {};
  return Error(Code::invalid, cat("the proxy of the MQTT broker: ", text_of(code)));
}

void LibraryClient::listen() {
  mosquitto* const client = client_.get();
  mosquitto_connect_v5_callback_set(
      client, [](mosquitto*, void* object, int reason, int flags, const mosquitto_property*) {
        if (reason == 0) {
          self(object).phase_ = Phase::connected;
          self(object).is_resumed_ = (flags & 1) != 0;
        } else {
          self(object).end(cat("the broker refused the session (",
                               reason < connack_reasons_end ? mosquitto_connack_string(reason)
                                                            : mosquitto_reason_string(reason),
                               "); check client id, user name, password and certificate"));
        }
      });
  mosquitto_disconnect_v5_callback_set(client, [](mosquitto*, void* object, int reason,
                                                  const mosquitto_property*) {
    // The library's own codes and the broker's reasons share this number; reasons that end a
    // session start at 0x80.
    if (reason >= first_error_reason) {
      self(object).end(cat("the broker ended the session (", mosquitto_reason_string(reason), ")"));
    } else {
      self(object).end_by_code(reason);
    }
  });
  mosquitto_publish_v5_callback_set(
      client, [](mosquitto*, void* object, int message_id, int reason, const mosquitto_property*) {
        const bool taken = reason < first_error_reason;
        self(object).acknowledged_.push_back(
            {message_id, taken ? "" : mosquitto_reason_string(reason)});
      });
  mosquitto_message_callback_set(client,
                                 [](mosquitto*, void* object, const mosquitto_message* message) {
                                   if (message != nullptr) self(object).take_message(*message);
                                 });
  mosquitto_subscribe_callback_set(
      client, [](mosquitto*, void* object, int, int count, const int* granted) {
        for (int i = 0; i < count; ++i) {
          if (granted[i] < first_error_reason) continue;
          const std::string refused =
              cat("the broker refused our subscription (", mosquitto_reason_string(granted[i]),
                  "); check its access rules");
          log_warn("core", cat(self(object).peer_, ": ", refused));
          if (self(object).is_lasting_) self(object).end(refused);
        }
      });
  mosquitto_log_callback_set(client, [](mosquitto*, void* object, int level, const char* text) {
    if (level == MOSQ_LOG_ERR) self(object).last_tls_error_ = text;
  });
}

void LibraryClient::take_message(const mosquitto_message& message) {
  const auto size = static_cast<std::size_t>(std::max(message.payloadlen, 0));
  const bool is_long = size > message_bytes_max_;
  if (!is_lasting_ && (is_long || messages_.size() >= told_max)) {
    log_warn("core", cat("a message of ", size, " bytes from the MQTT broker was dropped; at most ",
                         told_bytes_max, " bytes and ", told_max, " at once are taken"));
    return;
  }
  if (messages_.size() >= taken_max) return end("the broker sent too many messages at once");
  MqttMessage one;
  one.topic = message.topic;
  one.payload.assign(static_cast<const char*>(message.payload), is_long ? cut_bytes : size);
  one.packet_id = message.qos > 0 ? message.mid : 0;
  one.is_retained = message.retain;
  one.is_cut = is_long;
  one.is_resumed = is_resumed_;
  messages_.push_back(std::move(one));
}

void LibraryClient::acknowledge() {
  if (phase_ != Phase::connected || !mosquitto_want_write(client_.get())) return;
  const int code = mosquitto_loop_write(client_.get(), 1);
  if (code != MOSQ_ERR_SUCCESS) end_by_code(code);
}

void LibraryClient::disconnect() {
  mosquitto_disconnect(client_.get());
  // Not over an acknowledgment that is queued for what nobody has taken.
  if (is_lasting_ && messages_.empty()) acknowledge();
}

void LibraryClient::end(std::string_view why) {
  if (phase_ == Phase::ended) return;
  phase_ = Phase::ended;
  why_ended_ = cat(peer_, ": ", why);
}

void LibraryClient::end_by_code(int code) {
  const std::string failed_check = tls_ == nullptr ? "" : tls_->take_failure();
  const std::string no_way = bridge_ ? bridge_->failure() : "";
  if (!failed_check.empty()) {
    end(failed_check);
  } else if (!no_way.empty()) {
    end(no_way);
  } else if (!last_tls_error_.empty()) {
    end(cat("TLS failed: ", last_tls_error_));
  } else if (code == MOSQ_ERR_SUCCESS) {
    end("disconnected");
  } else {
    end(text_of(code));
  }
}

void LibraryClient::turn(int wake_fd, Milliseconds wait) {
  if (phase_ == Phase::ended) return;
  mosquitto* const client = client_.get();
  pollfd watched[2] = {{wake_fd, POLLIN, 0}, {mosquitto_socket(client), POLLIN, 0}};
  if (wants_to_write()) watched[1].events |= POLLOUT;
  ::poll(watched, 2, static_cast<int>(wait.count()));
  int code = MOSQ_ERR_SUCCESS;
  if (watched[1].fd >= 0 && watched[1].revents != 0) code = carry_on(watched[1].revents);
  if (code == MOSQ_ERR_SUCCESS && phase_ != Phase::ended) code = mosquitto_loop_misc(client);
  if (code != MOSQ_ERR_SUCCESS) end_by_code(code);
}

int LibraryClient::carry_on(short happened) {
  mosquitto* const client = client_.get();
  const bool broken = phase_ == Phase::connecting && (happened & (POLLERR | POLLHUP)) != 0;
  const int reason = broken ? socket_error() : 0;
  if (reason != 0) {
    end(std::strerror(reason));
    return MOSQ_ERR_SUCCESS;
  }
  // Reading also carries the TLS handshake on, whichever way it wants to go.
  int code = mosquitto_loop_read(client, 1);
  // Not before what has come is taken: its acknowledgment waits to be written.
  if (code == MOSQ_ERR_SUCCESS && messages_.empty() && mosquitto_want_write(client)) {
    code = mosquitto_loop_write(client, 1);
  }
  // libmosquitto takes a socket that dies in the handshake for one that is not ready yet, and would
  // be asked again at once for ever.
  if (code == MOSQ_ERR_SUCCESS && broken) {
    end("the connection was refused or closed before a session; does the broker run there?");
  }
  return code;
}

bool LibraryClient::wants_to_write() const {
  const auto* const tls = static_cast<const SSL*>(mosquitto_ssl_get(client_.get()));
  // In the handshake the library says yes as long as its CONNECT waits; asking for a writable
  // socket then would turn without a pause until the broker answers.
  if (tls != nullptr && SSL_in_init(tls)) return !SSL_want_read(tls);
  return mosquitto_want_write(client_.get());
}

int LibraryClient::socket_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(mosquitto_socket(client_.get()), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

Status LibraryClient::subscribe(const std::string& topic) {
  const int code = mosquitto_subscribe(client_.get(), nullptr, topic.c_str(), qos_at_least_once);
  if (code == MOSQ_ERR_SUCCESS) return {};
  end_by_code(code);
  return Error(Code::unavailable, why_ended_);
}

Result<int> LibraryClient::publish(const std::string& topic, const std::string& payload,
                                   bool retained, Qos qos) {
  int message_id = 0;
  const int code =
      mosquitto_publish(client_.get(), &message_id, topic.c_str(), static_cast<int>(payload.size()),
                        payload.data(), static_cast<int>(qos), retained);
  if (code == MOSQ_ERR_SUCCESS) return message_id;
  const bool broken = code == MOSQ_ERR_NO_CONN || code == MOSQ_ERR_CONN_LOST ||
                      code == MOSQ_ERR_ERRNO || code == MOSQ_ERR_TLS;
  if (broken) {
    end_by_code(code);
    return Error(Code::unavailable, why_ended_);
  }
  return Error(Code::invalid, cat("MQTT topic ", topic, ": ", text_of(code)));
}

}  // namespace

Result<std::unique_ptr<MqttClient>> MqttClient::connect(const MqttOptions& options,
                                                        TlsContext* tls) {
  static std::once_flag started;
  std::call_once(started, [] { mosquitto_lib_init(); });
  auto client = std::make_unique<LibraryClient>(options, tls);
  GW_CHECK(client->start(options));
  return std::unique_ptr<MqttClient>(std::move(client));
}

}  // namespace gateway::core::net

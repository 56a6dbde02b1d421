#include "daemon/ops/probes.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <thread>

#include "adapters/dicom/echo.h"
#include "adapters/dicom/uplink_options.h"
#include "adapters/hl7/order_uplink.h"
#include "core/json.h"
#include "core/net/http.h"
#include "core/net/socks_bridge.h"
#include "core/net/tls_probe.h"
#include "core/net/url.h"
#include "core/text.h"
#include "sync/options.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Milliseconds;

constexpr Milliseconds kHandshakeTimeout{4'000};
constexpr Milliseconds kAnswerTimeout{5'000};
constexpr std::int64_t kSoonDays = 30;

/// What an uplink's table says of its peer.
struct UplinkPeer {
  std::string name;
  std::string kind;
  core::net::HttpClientOptions http;
};

std::string certificate_text(const core::net::TlsPeer& peer) {
  return cat(peer.protocol, ", certificates good until ", peer.ends, " (", peer.days_left,
             " days)");
}

void probe_handshake(const std::string& host, std::uint16_t port, core::net::TlsIdentity identity,
                     const core::net::HttpProxy* proxy, PeerCheck& check) {
  identity.host = host;
  const auto peer = core::net::probe_tls(std::move(identity), port, kHandshakeTimeout, proxy);
  if (!peer.ok()) {
    check.problem = peer.error().message();
    return;
  }
  check.detail = cat("reached, ", certificate_text(*peer));
  check.soon = peer->days_left < kSoonDays;
}

/// One GET on a loop of its own, so that the caller needs none.
core::Result<core::net::HttpResponse> get(core::net::HttpClientOptions options,
                                          const std::string& target) {
  boost::asio::io_context loop(1);
  GW_TRY(auto client, core::net::HttpClient::create(loop.get_executor(), std::move(options)));
  core::Result<core::net::HttpResponse> answer(
      core::Error(core::Code::unavailable, "no answer in time"));
  boost::asio::co_spawn(
      loop,
      [](core::net::HttpClient& http, const std::string& path,
         core::Result<core::net::HttpResponse>& out) -> core::net::Awaitable<void> {
        core::net::HttpRequest request;
        request.target = path;
        request.headers = {{"Accept", "application/fhir+json"}};
        out = co_await http.send(std::move(request));
        http.close();
      }(*client, target, answer),
      boost::asio::detached);
  loop.run_for(kAnswerTimeout);
  client->close();
  loop.restart();
  loop.run_for(Milliseconds(100));
  return answer;
}

void probe_fhir(const UplinkPeer& peer, PeerCheck& check) {
  const auto answer = get(peer.http, "/metadata");
  if (!answer.ok()) {
    check.problem = answer.error().message();
    return;
  }
  if (answer->status != 200) {
    check.problem =
        cat("/metadata answers HTTP ", answer->status,
            answer->status == 401 || answer->status == 403 ? "; check username and password_file"
                                                           : "; check the path in its url");
    return;
  }
  const auto json = core::Json::parse(answer->body);
  const std::string version(json.ok() ? (*json)["fhirVersion"].text() : std::string_view());
  if (!version.starts_with("4.")) {
    check.problem = version.empty()
                        ? "/metadata is no FHIR CapabilityStatement; check the path in its url"
                        : cat("it speaks FHIR ", version, ", not 4.x; use its R4 address");
    return;
  }
  check.detail += cat(", FHIR ", version);
}

/// By TLS where `tls` says so, else by TCP.
void probe_port(const std::string& host, std::uint16_t port,
                const std::optional<core::net::TlsIdentity>& tls, const core::net::HttpProxy* proxy,
                PeerCheck& check) {
  if (tls) {
    probe_handshake(host, port, *tls, proxy, check);
  } else if (const auto reached = core::net::probe_tcp(host, port, kHandshakeTimeout, proxy);
             reached.ok()) {
    check.detail = "reached, without TLS";
  } else {
    check.problem = reached.error().message();
  }
}

PeerCheck probe_dicom_uplink(const core::Config& config, const std::string& name) {
  PeerCheck check{.name = cat("uplink ", name)};
  const auto uplink = adapters::dicom::dicom_uplink(config, name);
  if (!uplink.ok()) {
    check.problem = uplink.error().message();
    return check;
  }
  const adapters::dicom::Destination to = uplink->to();
  std::optional<core::net::TlsIdentity> tls;
  if (to.tls) tls = {"", to.tls->ca_file, to.tls->certificate_file, to.tls->key_file};
  probe_port(to.host, to.port, tls, nullptr, check);
  if (!check.problem.empty()) return check;
  if (const core::Status answered = adapters::dicom::echo(*uplink); answered.ok()) {
    check.detail += ", answers C-ECHO";
  } else {
    check.problem = cat(answered.error().message(),
                        "; check the AE titles here and what the PACS knows of this gateway");
  }
  return check;
}

PeerCheck probe_order_uplink(const core::Config& config, const std::string& name) {
  PeerCheck check{.name = cat("uplink ", name)};
  const auto uplink = adapters::hl7::order_uplink(config, name);
  if (!uplink.ok()) {
    check.problem = uplink.error().message();
    return check;
  }
  probe_port(uplink->url.host, uplink->url.port, uplink->tls, nullptr, check);
  return check;
}

PeerCheck probe_uplink(const UplinkPeer& peer) {
  PeerCheck check{.name = cat("uplink ", peer.name)};
  const auto url = core::net::parse_url(peer.http.url);
  if (!url.ok()) {
    check.problem = url.error().message();
    return check;
  }
  std::optional<core::net::HttpProxy> proxy;
  if (!peer.http.proxy.empty()) {
    auto read =
        core::net::read_proxy(peer.http.proxy, peer.http.proxy_username, peer.http.proxy_password);
    if (!read.ok()) {
      check.problem = read.error().message();
      return check;
    }
    proxy = std::move(*read);
  }
  const core::net::HttpProxy* const by = proxy ? &*proxy : nullptr;
  std::optional<core::net::TlsIdentity> tls;
  if (url->tls) tls = {"", peer.http.ca_file, peer.http.certificate_file, peer.http.key_file};
  probe_port(url->host, url->port, tls, by, check);
  if (check.problem.empty() && peer.kind == "fhir") probe_fhir(peer, check);
  return check;
}

/// The broker's HTTP proxy; none: straight.
core::Result<std::optional<core::net::HttpProxy>> broker_proxy(const MqttSettings& mqtt) {
  using Found = std::optional<core::net::HttpProxy>;
  if (mqtt.proxy.empty()) return Found();
  std::string password;
  if (!mqtt.proxy_password_file.empty()) {
    GW_TRY(password, core::read_secret_file(mqtt.proxy_password_file));
  }
  GW_TRY(auto proxy, core::net::read_proxy(mqtt.proxy, mqtt.proxy_username, password));
  return Found(std::move(proxy));
}

PeerCheck probe_broker(const MqttSettings& mqtt) {
  PeerCheck check{.name = "mqtt broker"};
  if (const auto socks = core::net::read_socks_proxy(mqtt.proxy); socks.ok()) {
    const auto reached = core::net::probe_tcp(socks->host, socks->port, kHandshakeTimeout);
    check.detail = "its SOCKS proxy is reached; what lies behind it is not looked at";
    if (!reached.ok()) check.problem = reached.error().message();
    return check;
  }
  const auto proxy = broker_proxy(mqtt);
  if (!proxy.ok()) {
    check.problem = proxy.error().message();
    return check;
  }
  if (!mqtt.plain) {
    probe_handshake(mqtt.host, mqtt.port, {"", mqtt.ca_file, mqtt.certificate_file, mqtt.key_file},
                    *proxy ? &**proxy : nullptr, check);
  } else if (const auto reached = core::net::probe_tcp(mqtt.host, mqtt.port, kHandshakeTimeout);
             reached.ok()) {
    check.detail = "reached, without TLS";
  } else {
    check.problem = reached.error().message();
  }
  return check;
}

core::Result<UplinkPeer> uplink_peer(const core::Config& config, const std::string& name) {
  UplinkPeer peer{.name = name, .kind = config.text(cat("uplink.", name, ".kind")), .http = {}};
  GW_TRY(peer.http, sync::uplink_client_options(config, name));
  peer.http.connect_timeout = kHandshakeTimeout;
  peer.http.idle_timeout = kAnswerTimeout;
  peer.http.connections_max = 1;
  peer.http.plain_allowed = true;  // what the configuration allows was checked before
  return peer;
}

}  // namespace

std::vector<PeerCheck> probe_peers(const core::Config& config, const Settings& settings) {
  std::vector<std::function<PeerCheck()>> probes;
  for (const std::string& name : config.names("uplink")) {
    if (config.text(cat("uplink.", name, ".kind")) == "dicom") {
      probes.push_back([&config, name] { return probe_dicom_uplink(config, name); });
      continue;
    }
    if (config.text(cat("uplink.", name, ".kind")) == "hl7") {
      probes.push_back([&config, name] { return probe_order_uplink(config, name); });
      continue;
    }
    probes.push_back([peer = uplink_peer(config, name), name] {
      if (peer.ok()) return probe_uplink(*peer);
      return PeerCheck{.name = cat("uplink ", name), .problem = peer.error().message()};
    });
  }
  if (settings.mqtt) probes.push_back([mqtt = *settings.mqtt] { return probe_broker(mqtt); });
  std::vector<PeerCheck> checks(probes.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    threads.emplace_back([&checks, &probes, i] { checks[i] = probes[i](); });
  }
  threads.clear();
  return checks;
}

bool port_is_taken(const std::string& address, std::uint16_t port) {
  const bool any = address == "0.0.0.0" || address == "::";
  return core::net::probe_tcp(any ? "localhost" : address, port, kHandshakeTimeout).ok();
}

}  // namespace gateway::daemon

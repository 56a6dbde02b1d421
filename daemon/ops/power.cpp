#include "daemon/ops/power.h"

#include <nutclient.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <charconv>
#include <sstream>

#include "core/log.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

using core::cat;
using core::Json;
using Supply = PowerState::Supply;

constexpr std::chrono::seconds kEvery{5};
constexpr long kAnswerWithinS = 5;

std::optional<int> number(const std::string& text) {
  // "87" or "87.4"
  int value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc() || value < 0) return std::nullopt;
  return value;
}

/// "": this UPS does not know it.
std::string variable(nut::TcpClient& client, const std::string& ups, const std::string& name) {
  try {
    const auto values = client.getDeviceVariableValue(ups, name);
    return values.empty() ? "" : values.front();
  } catch (const nut::IOException&) {
    throw;
  } catch (const nut::NutException&) {
    return {};
  }
}

PowerState ask(const UpsAddress& ups) {
  PowerState seen;
  try {
    nut::TcpClient client;
    client.setTimeout(kAnswerWithinS);
    client.connect(ups.host, ups.port);
    const auto values = client.getDeviceVariableValue(ups.name, "ups.status");
    seen = read_power(values.empty() ? "" : values.front(),
                      variable(client, ups.name, "battery.charge"),
                      variable(client, ups.name, "battery.runtime"));
  } catch (const std::exception&) {
    // Its words are a peer's; what to do is the same for all of them.
    seen.problem = cat("upsd at ", ups.host, " port ", ups.port, " says nothing of \"", ups.name,
                       "\": see upsc ", ups.name, "@", ups.host);
  }
  return seen;
}

const char* word(Supply supply) {
  switch (supply) {
    case Supply::mains:
      return "mains";
    case Supply::battery:
      return "battery";
    case Supply::ending:
      return "ending";
    case Supply::unknown:
      break;
  }
  return "unknown";
}

}  // namespace

core::Result<UpsAddress> parse_ups(const std::string& text) {
  UpsAddress ups;
  const auto at = text.find('@');
  const auto colon = text.find(':', at == text.npos ? 0 : at);
  ups.name = text.substr(0, at);
  if (at != text.npos) ups.host = text.substr(at + 1, colon - at - 1);
  bool is_right = !ups.name.empty() && !ups.host.empty();
  if (colon != text.npos) {
    const auto port = number(text.substr(colon + 1));
    is_right = is_right && port && *port >= 1 && *port <= 65535;
    if (is_right) ups.port = static_cast<std::uint16_t>(*port);
  }
  if (is_right) return ups;
  return core::Error(core::Code::invalid,
                     cat("\"", text, "\" names no UPS; write for example \"ups@localhost\""));
}

PowerState read_power(const std::string& status, const std::string& charge,
                      const std::string& runtime) {
  PowerState state;
  bool on_line = false;
  bool on_battery = false;
  bool is_low = false;
  bool is_forced = false;
  std::istringstream words(status);
  for (std::string one; words >> one;) {
    on_line |= one == "OL";
    on_battery |= one == "OB";
    is_low |= one == "LB";
    is_forced |= one == "FSD";
  }
  // LB alone is a tired battery on the mains.
  if (is_forced || (on_battery && is_low)) {
    state.supply = Supply::ending;
  } else if (on_battery) {
    state.supply = Supply::battery;
  } else if (on_line) {
    state.supply = Supply::mains;
  } else {
    state.problem = "the UPS does not say whether it is on the mains: see ups.status of upsc";
  }
  state.charge_percent = number(charge);
  state.runtime_s = number(runtime);
  return state;
}

std::optional<Problem> power_problem(const PowerState& state) {
  switch (state.supply) {
    case Supply::mains:
      return std::nullopt;
    case Supply::battery:
      return Problem{"power", "the mains are gone: the box runs on the battery of the UPS"};
    case Supply::ending:
      return Problem{"battery",
                     "the battery of the UPS is nearly empty: nothing new is taken in until the "
                     "mains are back"};
    case Supply::unknown:
      break;
  }
  if (state.problem.empty()) return std::nullopt;  // not asked yet
  return Problem{"power", state.problem};
}

Json power_document(const PowerState& state) {
  const auto or_null = [](const std::optional<int>& value) {
    return value ? Json(static_cast<std::int64_t>(*value)) : Json();
  };
  return Json::object({{"supply", word(state.supply)},
                       {"charge_percent", or_null(state.charge_percent)},
                       {"runtime_s", or_null(state.runtime_s)}});
}

Power::Power(boost::asio::any_io_executor loop, UpsAddress ups,
             std::function<void(Supply before)> changed)
    : loop_(std::move(loop)), ups_(std::move(ups)), changed_(std::move(changed)), timer_(loop_) {}

void Power::start() { boost::asio::co_spawn(loop_, watch(alive_), boost::asio::detached); }

void Power::stop() {
  *alive_ = false;
  timer_.cancel();
  lane_.stop();
}

core::net::Awaitable<void> Power::watch(std::shared_ptr<bool> alive) {
  while (*alive) {
    auto work = [ups = ups_] { return ask(ups); };
    PowerState seen = co_await lane_.run(std::move(work));
    if (!*alive) co_return;
    take(std::move(seen));
    timer_.expires_after(kEvery);
    const auto [cancelled] =
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (cancelled) co_return;
  }
}

void Power::take(PowerState seen) {
  const Supply before = state_.supply;
  // Who was going dark and is silent now has not come back.
  if (seen.supply == Supply::unknown && before == Supply::ending) seen.supply = Supply::ending;
  const bool is_news = seen.supply != before || seen.problem != state_.problem;
  state_ = std::move(seen);
  if (!is_news) return;
  if (!state_.problem.empty()) {
    core::log_warn("power", state_.problem);
  } else {
    core::log_info("power", cat("the box is fed by: ", word(state_.supply)));
  }
  changed_(before);
}

}  // namespace gateway::daemon

#include "core/net/mqtt_dial.h"

#include <system_error>
#include <thread>
#include <utility>

#include "core/text.h"

namespace gateway::core::net {

Result<std::shared_ptr<MqttDial>> MqttDial::begin(MqttOptions options,
                                                  std::shared_ptr<TlsContext> tls,
                                                  std::function<void()> done) {
  auto dial = std::make_shared<MqttDial>();
  auto look_up = [dial, options = std::move(options), tls = std::move(tls),
                  done = std::move(done)]() mutable {
    auto client = MqttClient::connect(options, tls.get());
    if (client.ok()) {
      dial->dialed_ = Dialed{std::move(tls), std::move(*client)};
    } else {
      dial->dialed_ = std::move(client).error();
    }
    dial->done_ = true;
    done();
  };
  try {
    std::thread(std::move(look_up)).detach();
  } catch (const std::system_error& error) {
    return Error(Code::unavailable, cat("no thread to look up the broker's name: ", error.what()));
  }
  return dial;
}

}  // namespace gateway::core::net

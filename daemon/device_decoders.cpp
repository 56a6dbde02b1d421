#include "daemon/device_decoders.h"

#include <algorithm>

#include "adapters/astm/astm_options.h"
#include "adapters/astm/message_reader.h"
#include "adapters/dicom/dropped_file.h"
#include "adapters/filedrop/dropped.h"
#include "adapters/hl7/hl7_options.h"
#include "adapters/hl7/message_reader.h"
#include "adapters/mqtt/mqtt_server.h"
#include "adapters/poct1a/message_reader.h"
#include "adapters/poct1a/poct1a_options.h"
#include "adapters/thirdparty/handed_over.h"
#include "adapters/thirdparty/socket_options.h"
#include "core/text.h"

namespace gateway::daemon {
namespace {

/// Some write a file as they would speak: MLLP's frame around each message.
std::string without_frames(const std::string& bytes) {
  std::string messages = bytes;
  if (bytes.find('\x0b') == 0)
    std::erase_if(messages, [](char c) { return c == '\x0b' || c == '\x1c'; });
  return messages;
}

/// What a third-party adapter hands over is kept as what lies in a folder.
void add_socket_decoders(const core::Config& config, const core::Clock& clock,
                         adapters::Decoders& decoders) {
  const auto devices = adapters::thirdparty::socket_devices(config, core::system_files());
  if (!devices.ok()) return;
  for (const auto& device : *devices) {
    adapters::Decoder kept = adapters::filedrop::decoder_of(device.device, file_decoders(clock));
    kept.decode = [decode = std::move(kept.decode)](std::string bytes) {
      auto message = decode(std::move(bytes));
      message->source = adapters::thirdparty::kSource;
      return message;
    };
    decoders.emplace(device.device.options.profile.name, std::move(kept));
  }
}

}  // namespace

adapters::FileDecoders file_decoders(const core::Clock& clock) {
  return {
      .hl7 =
          [&clock](const std::string& bytes, const adapters::mapping::DeviceProfile& device) {
            std::vector<std::shared_ptr<sync::IncomingMessage>> messages;
            for (std::string& one : adapters::hl7::cut_frame(without_frames(bytes))) {
              messages.push_back(
                  adapters::hl7::read_message(std::move(one), device, "folder", clock).incoming);
            }
            return messages;
          },
      .dropped = adapters::filedrop::read_dropped,
      .dicom = adapters::dicom::take_dropped_file};
}

adapters::Decoders device_decoders(const core::Config& config, const core::Clock& clock) {
  adapters::Decoders decoders;
  if (const auto devices = adapters::hl7::hl7_devices(config); devices.ok()) {
    for (const auto& device : *devices)
      decoders.emplace(device.profile.name, adapters::hl7::decoder_of(device, clock));
  }
  if (const auto devices = adapters::astm::astm_devices(config, core::system_files());
      devices.ok()) {
    for (const auto& device : *devices)
      decoders.emplace(device.options.profile.name, adapters::astm::decoder_of(device));
  }
  if (const auto devices = adapters::poct1a::poct1a_devices(config, core::system_files());
      devices.ok()) {
    for (const auto& device : *devices)
      decoders.emplace(device.options.profile.name, adapters::poct1a::decoder_of(device));
  }
  if (const auto devices = adapters::filedrop::folder_devices(config, core::system_files());
      devices.ok()) {
    for (const auto& device : *devices) {
      decoders.emplace(device.device.options.profile.name,
                       adapters::filedrop::decoder_of(device.device, file_decoders(clock)));
    }
  }
  if (const auto brokers = adapters::mqtt::brokers(config, core::system_files()); brokers.ok()) {
    for (const auto& broker : *brokers) {
      for (const auto& device : broker.devices)
        decoders.emplace(device.device.options.profile.name, adapters::mqtt::decoder_of(device));
    }
  }
  add_socket_decoders(config, clock, decoders);
  return decoders;
}

core::Result<std::unique_ptr<adapters::filedrop::FolderServer>> folder_server(
    const core::Config& config, const sync::HoldingsDoor& door, const core::Clock& clock) {
  GW_TRY(auto devices, adapters::filedrop::folder_devices(config, core::system_files()));
  return adapters::filedrop::FolderServer::create(std::move(devices), file_decoders(clock), door,
                                                  clock);
}

}  // namespace gateway::daemon

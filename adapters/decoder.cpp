#include "adapters/decoder.h"

#include "core/text.h"

namespace gateway::adapters {

core::Result<sync::Taken> retry_message(sync::Holdings& holdings, std::int64_t number,
                                        const Decoders& decoders, const std::string& patient) {
  GW_TRY(sync::KeptMessage kept,
         holdings.database().read_value<sync::KeptMessage>([&](crypto::Connection& connection) {
           return sync::read_kept_message(connection, number);
         }));
  const auto decoder = decoders.find(kept.device);
  if (decoder == decoders.end()) {
    return core::Error(core::Code::not_found,
                       core::cat("message ", number, " came from device ", kept.device,
                                 ", which is not in the configuration any more, or its profile "
                                 "cannot be read"));
  }
  const auto incoming = decoder->second.decode(std::move(kept.bytes));
  return holdings.intake().take_again(number, *incoming, patient);
}

}  // namespace gateway::adapters

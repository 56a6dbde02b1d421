#include "adapters/thirdparty/handed_over.h"

#include "adapters/fields/file_kind.h"
#include "adapters/mapping/fhir_values.h"
#include "core/text.h"

namespace gateway::adapters::thirdparty {
namespace {

using core::cat;
using core::Code;
using core::Error;
using fields::FieldDevice;
using fields::FileKind;
using Messages = std::vector<std::shared_ptr<sync::IncomingMessage>>;

Error wrong(std::string what) { return {Code::invalid, std::move(what)}; }

core::Status check_document(const std::string& bytes) {
  const FileKind kind = fields::kind_of(bytes);
  if (fields::media_type(kind).empty()) return wrong("the document is no PDF, JPEG or PNG");
  if (!fields::reaches_end(kind, bytes)) return wrong("the document ends before its end");
  return {};
}

/// A time that the map of the device's profile can take for the record's own.
core::Status check_time(const Request& request, const FieldDevice& device) {
  const profiles::FieldMap& map = device.profile.fields;
  if (request.at.empty()) {
    // The time it came would be another one whenever it is sent again.
    if (map.time.empty())
      return wrong("the device's profile names no time in the record; write at, when it was made");
    return {};
  }
  const std::string at = fields::compact_time(request.at, profiles::DateOrder::year_first);
  if (mapping::utc_instant(at, device.options.profile.time_zone).empty())
    return wrong("at is no time; write it like 2026-11-20T10:02:33Z");
  return {};
}

core::Status check_record(const Request& request, const FieldDevice& device) {
  if (device.profile.fields.format.empty())
    return wrong(cat("device.", device.options.profile.name,
                     ".profile names no profile, so nobody knows what its fields mean"));
  const FileKind kind = fields::kind_of(request.bytes);
  if (kind != FileKind::text && kind != FileKind::xml)
    return wrong("the record is no CSV, XML or JSON");
  if (!request.document.empty()) GW_CHECK(check_document(request.document));
  return check_time(request, device);
}

Messages read_files(Request request, const FieldDevice& device, const FileDecoders& decoders) {
  std::vector<DroppedFile> files;
  // Behind the record in name order: the record's name is that of both.
  if (!request.document.empty())
    files.push_back({cat(request.name, " document"), std::move(request.document), ""});
  files.push_back({std::move(request.name), std::move(request.bytes), std::move(request.at)});
  Messages messages = decoders.dropped(std::move(files), device);
  std::size_t row = 0;
  for (const auto& message : messages) {
    message->control_id = messages.size() == 1 ? request.id : cat(request.id, '#', ++row);
    message->answer = message->dead_because;
  }
  return messages;
}

}  // namespace

core::Result<Messages> messages_of(Request request, const FieldDevice& device,
                                   const FileDecoders& decoders) {
  Messages messages;
  if (request.type == Request::Type::hl7) {
    messages = decoders.hl7(std::move(request.bytes), device.options.profile);
  } else {
    if (request.type == Request::Type::record) GW_CHECK(check_record(request, device));
    if (request.type == Request::Type::document) GW_CHECK(check_document(request.bytes));
    messages = read_files(std::move(request), device, decoders);
  }
  for (const auto& message : messages) message->source = kSource;
  return messages;
}

}  // namespace gateway::adapters::thirdparty

#include "adapters/filedrop/dropped.h"

#include <algorithm>
#include <span>

#include "adapters/fields/documents.h"
#include "adapters/fields/file_kind.h"
#include "adapters/mapping/character_set.h"
#include "core/base64.h"
#include "core/text.h"
#include "crypto/digest.h"

namespace gateway::adapters::filedrop {
namespace {

using core::cat;
using core::Json;
using fields::FieldDevice;
using fields::FileKind;
using fields::kind_of;

constexpr std::string_view kMark = "clinic-gateway-drop ";
constexpr std::size_t kHeadMax = 8'192;

/// A name in any bytes as UTF-8.
std::string readable(std::string_view name) { return mapping::decode_text(name, "", "").utf8; }

std::string pack(const std::vector<DroppedFile>& files) {
  Json list = Json::array();
  for (const DroppedFile& file : files) {
    Json one = Json::object(
        {{"name", file.name}, {"bytes", static_cast<std::uint64_t>(file.bytes.size())}});
    if (!file.modified.empty()) one.set("modified", file.modified);
    list.add(std::move(one));
  }
  std::string packed = cat(kMark, list.dump(), '\n');
  for (const DroppedFile& file : files) packed += file.bytes;
  return packed;
}

core::Result<std::vector<DroppedFile>> unpack(std::string_view bytes) {
  const core::Error wrong(core::Code::invalid, "it is no dropped file as the gateway keeps it");
  const auto end = bytes.substr(0, kHeadMax).find('\n');
  if (!is_of_drop(bytes) || end == bytes.npos) return wrong;
  GW_TRY(const Json list, Json::parse(bytes.substr(kMark.size(), end - kMark.size())));
  bytes.remove_prefix(end + 1);
  std::vector<DroppedFile> files;
  for (const Json& one : list.items()) {
    const auto size = static_cast<std::size_t>(one["bytes"].integer().value_or(-1));
    if (size > bytes.size()) return wrong;
    files.push_back({std::string(one["name"].text()), std::string(bytes.substr(0, size)),
                     std::string(one["modified"].text())});
    bytes.remove_prefix(size);
  }
  if (files.empty()) return wrong;
  return files;
}

/// {"file":{"name","stem","parts"}}: ids that stand in a file's name.
Json context_of(const std::string& name, const std::string& separator) {
  const std::string stem = name.substr(0, name.rfind('.'));
  Json parts = Json::array();
  std::size_t at = 0;
  while (!separator.empty()) {
    const auto end = stem.find(separator, at);
    parts.add(stem.substr(at, end == stem.npos ? stem.npos : end - at));
    if (end == stem.npos) break;
    at = end + separator.size();
  }
  return Json::object(
      {{"file", Json::object({{"name", name}, {"stem", stem}, {"parts", std::move(parts)}})}});
}

sync::Draft document_draft(const DroppedFile& file, FileKind kind, const FieldDevice& device) {
  const std::string& type = device.profile.fields.document_type;
  Json attachment = Json::object({{"contentType", media_type(kind)}});
  attachment.set("data", core::to_base64(file.bytes));
  attachment.set("title", type.empty() ? device.profile.device : type);
  if (attachment["title"].text().empty()) attachment.set("title", device.options.profile.name);
  Json body = Json::object({{"resourceType", "DocumentReference"}, {"status", "current"}});
  if (!type.empty()) body.set("type", Json::object({{"text", type}}));
  body.set("subject", Json::object({{"reference", sync::kPatientReference}}));
  body.set("content", Json::array({Json::object({{"attachment", std::move(attachment)}})}));
  sync::Draft draft;
  draft.body = std::move(body);
  // The same content is the same document, under whatever name it is dropped.
  const crypto::Digest digest = crypto::sha256(std::as_bytes(std::span(file.bytes)));
  draft.seed = cat("document|", core::to_hex(std::string_view(
                                    reinterpret_cast<const char*>(digest.data()), digest.size())));
  return draft;
}

struct Sorted {
  const DroppedFile* record = nullptr;
  std::vector<const DroppedFile*> documents;
};

Sorted sort_files(const std::vector<DroppedFile>& files) {
  Sorted sorted;
  for (const DroppedFile& file : files) {
    const FileKind kind = kind_of(file.bytes);
    if (!media_type(kind).empty()) sorted.documents.push_back(&file);
    if (kind == FileKind::xml || kind == FileKind::text) sorted.record = &file;
  }
  return sorted;
}

void map_record(const DroppedFile& record, const FieldDevice& device, const std::string& document,
                const Json& context, sync::IncomingMessage& out) {
  std::string text = record.bytes;
  // XML says itself in which set it is.
  if (device.profile.fields.format != "xml")
    text = mapping::decode_text(record.bytes, "", device.options.profile.character_set).utf8;
  auto whole = fields::parse_document(device.profile.fields, text);
  if (!whole.ok()) {
    out.dead_because = whole.error().message();
    return;
  }
  map_fields({std::move(*whole), context, record.modified, document}, device, out);
}

std::shared_ptr<sync::IncomingMessage> read_one(const std::vector<DroppedFile>& files,
                                                std::string bytes, const FieldDevice& device) {
  auto message = std::make_shared<sync::IncomingMessage>();
  message->device = device.options.profile.name;
  message->source = "folder";
  message->bytes = std::move(bytes);
  const Sorted sorted = sort_files(files);
  const Json context = context_of(files[0].name, device.profile.fields.name_separator);
  std::string document;
  for (const DroppedFile* one : sorted.documents)
    document = message->add(document_draft(*one, kind_of(one->bytes), device));
  if (sorted.record != nullptr) {
    message->kind = "file record";
    map_record(*sorted.record, device, document, context, *message);
  } else if (!sorted.documents.empty()) {
    message->kind = "file document";
    fields::map_patient({Json(), context, files[0].modified, ""}, device, *message);
  } else {
    message->kind = "file";
    message->dead_because = "nobody here reads files of this kind";
  }
  if (!message->dead_because.empty()) message->drafts.clear();
  return message;
}

}  // namespace

bool is_of_drop(std::string_view bytes) { return bytes.starts_with(kMark); }

std::vector<std::shared_ptr<sync::IncomingMessage>> read_dropped(std::vector<DroppedFile> files,
                                                                 const FieldDevice& device) {
  const profiles::FieldMap& map = device.profile.fields;
  for (DroppedFile& file : files) {
    file.name = readable(file.name);
    // A measurement that names its time is the same again whenever its file is written anew.
    if (!map.time.empty()) file.modified.clear();
  }
  // The same files are the same message, whichever of them was seen first.
  std::ranges::sort(files, {}, &DroppedFile::name);
  std::vector<std::shared_ptr<sync::IncomingMessage>> messages;
  const Sorted sorted = sort_files(files);
  const bool is_table = sorted.record != nullptr && map.format == "csv" && files.size() == 1;
  if (is_table) {
    const DroppedFile table = files[0];
    const auto rows = fields::cut_rows(map, table.bytes);
    for (const std::string& row : rows.ok() ? *rows : std::vector<std::string>()) {
      const std::vector<DroppedFile> one{{table.name, row, table.modified}};
      messages.push_back(read_one(one, pack(one), device));
    }
  }
  if (messages.empty()) messages.push_back(read_one(files, pack(files), device));
  return messages;
}

core::Result<std::shared_ptr<sync::IncomingMessage>> read_kept(std::string bytes,
                                                               const FieldDevice& device) {
  GW_TRY(const auto files, unpack(bytes));
  return read_one(files, std::move(bytes), device);
}

std::string text_of_drop(std::string_view bytes) {
  const auto files = unpack(bytes);
  if (!files.ok()) return files.error().message();
  std::string text;
  for (const DroppedFile& file : *files) {
    text += cat(file.name, ", ", file.bytes.size(), " bytes\n");
    if (media_type(kind_of(file.bytes)).empty())
      text += cat(mapping::decode_text(file.bytes, "", "").utf8, "\n");
  }
  return text;
}

}  // namespace gateway::adapters::filedrop

// What was dropped, as a message: its files kept together under their names, and what becomes of
// them. Pure.
//
// The kept bytes are a line "clinic-gateway-drop [{"name","bytes","modified"},...]" and the files'
// bytes behind it: what is retried later is what was dropped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/decoder.h"
#include "adapters/fields/field_mapping.h"
#include "core/result.h"
#include "sync/incoming_message.h"

namespace gateway::adapters::filedrop {

/// A record and the document that goes with it, in any order, or one of them alone. A table becomes
/// a message for each row.
std::vector<std::shared_ptr<sync::IncomingMessage>> read_dropped(std::vector<DroppedFile> files,
                                                                 const fields::FieldDevice& device);
/// One kept message again. Code::invalid: it is not of a drop.
core::Result<std::shared_ptr<sync::IncomingMessage>> read_kept(std::string bytes,
                                                               const fields::FieldDevice& device);
bool is_of_drop(std::string_view bytes);
/// For people: names, sizes, and the text of what is text.
std::string text_of_drop(std::string_view bytes);

}  // namespace gateway::adapters::filedrop

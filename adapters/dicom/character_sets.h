// Text between DICOM's character repertoires (PS3.3 C.12.1.1.2, PS3.5 6.1) and UTF-8. Nothing here
// fails: text that cannot be decoded keeps its ASCII part, with U+FFFD for the rest, and what comes
// out is always valid UTF-8. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace gateway::adapters::dicom {

/// Where escape sequences start afresh inside a value (PS3.5 6.1.2.5.3).
enum class TextKind { text, person_name };

/// `character_set`: the value of (0008,0005), empty for the default repertoire. Text of an
/// undeclared or wrong repertoire that is valid UTF-8 is taken as such; cp1252 labelled Latin-1 is
/// read as cp1252.
std::string decode_text(std::string_view value, std::string_view character_set, TextKind kind);

bool is_ascii(std::string_view text);

/// The single-valued defined term whose repertoire a sender of `character_set` reads, for answers;
/// "ISO_IR 192" where there is none without code extensions.
std::string answer_character_set(std::string_view character_set);

}  // namespace gateway::adapters::dicom

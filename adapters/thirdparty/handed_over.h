// What a third-party adapter hands over, on its way to sync: each type goes to the decoder that
// reads it, whoever else that serves. Pure.
#pragma once

#include <memory>
#include <vector>

#include "adapters/decoder.h"
#include "adapters/fields/field_mapping.h"
#include "adapters/thirdparty/request.h"
#include "core/result.h"

namespace gateway::adapters::thirdparty {

inline constexpr char kSource[] = "socket";  // in the audit trail

/// The messages of a request that is no hello, at least one: each is to be committed before the
/// answer. What is read and becomes nothing is among them, a dead letter with its reason. Of HL7
/// the control id and the answer are its own; else they are the request's id and that reason.
/// Code::invalid: it is refused; the reason shows nothing of it.
core::Result<std::vector<std::shared_ptr<sync::IncomingMessage>>> messages_of(
    Request request, const fields::FieldDevice& device, const FileDecoders& decoders);

}  // namespace gateway::adapters::thirdparty

#include "adapters/dicom/refusal.h"

#include <algorithm>

namespace gateway::adapters::dicom {
namespace {

using core::Code;

// PS3.5 9.1. Leading zeros of a component are a common fault that changes nothing here.
bool is_uid(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || c == '.';
  });
}

}  // namespace

Refusal refusal_for(Code code) {
  switch (code) {
    case Code::locked:
      return {kOutOfResources, "gateway is locked: it must be unlocked, then send again"};
    case Code::no_space:
      return {kOutOfResources, "gateway has no disk space left: send again later"};
    case Code::busy:
      return {kOutOfResources, "gateway is busy: send again later"};
    case Code::cancelled:
      return {kOutOfResources, "gateway is stopping: send again later"};
    case Code::corrupt:  // of the gateway's own files, which it mends
      return {kOutOfResources, "gateway has a damaged disk or database: send again later"};
    case Code::invalid:
      return {kCannotUnderstand, "gateway cannot understand this object"};
    default:
      return {kProcessingFailure, "gateway could not store this object: see its log"};
  }
}

std::optional<Refusal> check_identity(const sync::InstanceFacts& facts,
                                      std::string_view sop_class_uid,
                                      std::string_view sop_instance_uid) {
  if (facts.sop_class_uid.empty() || facts.sop_instance_uid.empty()) {
    return Refusal{kDoesNotMatch, "the data set has no SOP Class or SOP Instance UID"};
  }
  if (facts.sop_class_uid != sop_class_uid) {
    return Refusal{kDoesNotMatch, "SOP Class UID of data set and command differ"};
  }
  if (facts.sop_instance_uid != sop_instance_uid) {
    return Refusal{kDoesNotMatch, "SOP Instance UID of data set and command differ"};
  }
  if (facts.study_instance_uid.empty())
    return Refusal{kCannotUnderstand, "the data set has no Study Instance UID"};
  if (facts.series_instance_uid.empty())
    return Refusal{kCannotUnderstand, "the data set has no Series Instance UID"};
  for (const std::string* uid : {&facts.sop_class_uid, &facts.sop_instance_uid,
                                 &facts.study_instance_uid, &facts.series_instance_uid}) {
    if (!is_uid(*uid)) return Refusal{kCannotUnderstand, "the data set has a UID that is none"};
  }
  return std::nullopt;
}

}  // namespace gateway::adapters::dicom

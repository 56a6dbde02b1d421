#include "adapters/poct1a/host_documents.h"

#include "core/civil_time.h"
#include "core/text.h"

namespace gateway::adapters::poct1a {
namespace {

using core::cat;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out;
}

std::string field(std::string_view name, std::string_view value) {
  return cat('<', name, " V=\"", escaped(value), "\"/>");
}

std::string document(std::string_view type, const Header& header, std::string_view body) {
  return cat("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<", type, "><HDR>",
             field("HDR.message_type", type), field("HDR.control_id", header.control_id),
             field("HDR.version_id", "POCT1"), field("HDR.creation_dttm", header.at), "</HDR>",
             body, "</", type, ">\n");
}

std::string directive(std::string_view command) {
  return cat("<DTV>", field("DTV.command_cd", command), "</DTV>");
}

}  // namespace

std::string local_time(core::Wall time, std::string_view zone) {
  const core::DicomTime local = core::to_dicom_time(core::to_instant(time), zone);
  return core::to_fhir_date_time(local.date, local.time, zone);
}

std::string acknowledge(const Header& header, std::string_view of, std::string_view error) {
  return document("ACK.R01", header,
                  cat("<ACK>", field("ACK.type_cd", error.empty() ? "AA" : "AE"),
                      field("ACK.ack_control_id", of),
                      error.empty() ? std::string() : field("ACK.note_txt", error), "</ACK>"));
}

std::string say(const Header& header, Step step) {
  switch (step) {
    case Step::request_observations:
      return document("REQ.R01", header, cat("<REQ>", field("REQ.request_cd", "ROBS"), "</REQ>"));
    case Step::set_time:
      return document("DTV.R02", header,
                      cat(directive("SET_TIME"), "<TM>", field("TM.dttm", header.at), "</TM>"));
    case Step::start_continuous:
      return document("DTV.R01", header, directive("START_CONTINUOUS"));
    case Step::end:
      return document("END.R01", header, cat("<TRM>", field("TRM.reason_cd", "NRM"), "</TRM>"));
  }
  return {};
}

}  // namespace gateway::adapters::poct1a

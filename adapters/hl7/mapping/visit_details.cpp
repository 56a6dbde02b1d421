#include "adapters/hl7/mapping/visit_details.h"

#include "adapters/hl7/mapping/datatypes.h"

namespace gateway::adapters::hl7 {

using core::Json;

void set_visit_details(Mapping& mapping, const Segment& visit, Json& body) {
  if (Json kind = coded_by_table(mapping, visit.field(4), "0007"); !kind.is_null())
    body.set("type", Json::array({std::move(kind)}));
  set_if(body, "serviceType", coded_by_table(mapping, visit.field(10), "0069"));
  Json stay = Json::object();
  set_if(stay, "admitSource", coded_by_table(mapping, visit.field(14), "0023"));
  set_if(stay, "reAdmission", coded_by_table(mapping, visit.field(13), "0092"));
  set_if(stay, "specialArrangement", each_repetition(visit.field(15), [&](const Piece& one) {
           return coded_by_table(mapping, one, "0009");
         }));
  // DLD: the place, of a table each site has of its own.
  if (const std::string place = text_of_code(visit.field(37).component(1)); !place.empty())
    stay.set("destination", Json::object({{"type", "Location"}, {"display", place}}));
  set_if(stay, "dischargeDisposition", coded_by_table(mapping, visit.field(36), "0112"));
  set_if(body, "hospitalization", std::move(stay));
}

}  // namespace gateway::adapters::hl7

// An order (FHIR ServiceRequest) as a device is told of it, OML^O21 or ORM^O01 (HL7 v2.5.1 chapters
// 4.4.1 and 4.4.6), and what it answers, in original or enhanced mode. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json.h"

namespace gateway::adapters::hl7 {

enum class OrderForm { oml, orm };

/// What is said of an order.
struct OrderFacts {
  core::Json order;
  core::Json patient;  // its id stands in for the identifiers of one who has none
  std::vector<core::Json> specimens;
  std::string patient_id_issuer;  // whose id of the patient comes first
};

/// The identifier a device is told as the placer's number: the one of type PLAC, else the first
/// that is not the filler's. `except_of`: a system whose numbers are of something else, or empty.
/// Null: there is none.
const core::Json* placer_identifier(const core::Json& order, std::string_view except_of = {});
/// ORC-2, what the device knows the order by: placer_identifier(), else the id of the resource.
std::string placer_number(const core::Json& order);

/// Everything behind MSH, each segment ended by CR; ORC-1 is empty.
std::string order_segments(OrderForm form, const OrderFacts& facts);

struct OrderHeader {
  OrderForm form = OrderForm::oml;
  std::string receiver;  // MSH-5
  std::string control_id;
  core::Wall now;
};
/// UTF-8, without MLLP's frame; `control` becomes ORC-1 of `segments`.
std::string order_message(const OrderHeader& header, std::string_view control,
                          std::string_view segments);
/// What order_message() was given as segments.
std::string segments_of(std::string_view message);

struct OrderAnswer {
  enum class What { taken, again, refused } what = What::again;
  std::string code;   // MSA-1, and what ORC-1 says where the order itself was refused
  std::string words;  // the device's own; may name a patient
};
/// Nothing: it is no answer to that message.
std::optional<OrderAnswer> read_order_answer(std::string_view bytes, std::string_view control_id);

}  // namespace gateway::adapters::hl7

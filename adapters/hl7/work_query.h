// An analyzer's question what to do with a tube, and the answer to it. Pure.
//
// QBP^Q11 as IHE PaLM LAW asks (LAB-27): answered RSP^K11; the orders themselves follow as messages
// of their own (LAB-28, work_order.h). QBP^WOS as IHE LDA asks (LAB-22): answered RSP^WOS with the
// orders in it. QPD-1 WOS asks for the tube of QPD-3 (SAC-3), WOS_ALL for everything.
#pragma once

#include <string>
#include <string_view>

#include "adapters/hl7/acknowledgment.h"
#include "adapters/hl7/message.h"
#include "core/clock.h"

namespace gateway::adapters::hl7 {

/// Why a query is not answered with orders.
struct QueryFault {
  Verdict verdict = Verdict::accepted;  // there is none
  std::string why;                      // for people, holds nothing of the message
  std::string_view place;               // ERR-2
  std::string_view code = "207";        // ERR-3, table 0357
};

struct WorkQuery {
  bool is_law = false;          // QBP^Q11
  bool is_all = false;          // WOS_ALL
  std::string specimen;         // the number on the tube
  std::string specimen_issuer;  // FHIR system of whom it names as the number's; empty: of nobody
  std::string asker;            // MSH-3 and -4, in the usual delimiters
  QueryFault fault;
};

bool is_work_query(std::string_view type);
/// `device`: its name, within which local names of issuers count.
WorkQuery read_work_query(const Message& message, std::string_view device);

struct WorkAnswer {
  QueryFault fault;
  bool is_stored = true;  // false: the query was not taken, and has to come again
  std::string status;     // QAK-2, table 0208; empty: as the fault's verdict says
  std::string orders;     // segments behind QPD
};
/// In its MLLP frame, behind an accept acknowledgment where MSH-15 asks for one; that alone where
/// it says that the query was not taken. UTF-8 with the usual delimiters, whatever the query's
/// were.
std::string answer_work_query(const Message& query, const WorkAnswer& answer,
                              const core::Clock& clock);

}  // namespace gateway::adapters::hl7

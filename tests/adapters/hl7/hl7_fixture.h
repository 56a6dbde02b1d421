// HL7 messages taken into the real database of tests/sync/records_fixture.h, as a device's listener
// would, without its socket.
#pragma once

#include "adapters/hl7/message_reader.h"
#include "sync/message_retention.h"
#include "tests/sync/records_fixture.h"

namespace gateway::adapters::hl7 {

class Hl7Test : public sync::RecordsTest {
 protected:
  Hl7Test() {
    device_.name = "lab";
    device_.time_zone = "Europe/Madrid";
    device_.patient_id_issuer = sync::kIssuer;
  }

  sync::Taken take(std::string bytes) {
    const Read read = read_message(std::move(bytes), device_, "192.0.2.7", core::system_clock());
    auto taken = held_->intake().take_now(*read.incoming);
    EXPECT_TRUE(taken.ok()) << (taken.ok() ? "" : taken.error().message());
    return taken.ok() ? *taken : sync::Taken();
  }

  /// How many messages' bytes a whole walk lets go of.
  std::int64_t expire(const std::string& before) {
    std::int64_t gone = 0;
    sync::MessageWalk walk;
    while (!walk.ended) {
      write([&](crypto::Connection& connection) -> core::Status {
        GW_TRY(const auto some, sync::expire_raw_messages(connection, before, 1, walk));
        gone += some;
        return {};
      });
    }
    return gone;
  }

  /// The newest version of the only resource of that type (where there are several: the first).
  core::Json resource(const std::string& type) {
    const std::string body = text(
        "SELECT v.body FROM resource r JOIN resource_version v USING (type, id, version)"
        " WHERE r.type = '" +
        type + "' ORDER BY r.id LIMIT 1");
    auto json = core::Json::parse(body);
    EXPECT_TRUE(json.ok()) << type << ": " << body;
    return json.ok() ? *json : core::Json();
  }
  std::int64_t resources(const std::string& type) {
    return count("SELECT count(*) FROM resource WHERE type = '" + type + "'");
  }

  static std::string header(std::string_view type, std::string_view control_id,
                            std::string_view time = "20260301101500+0100") {
    return core::cat("MSH|^~\\&|ANALYZER|LAB|GW|CLINIC|", time, "||", type, "|", control_id,
                     "|P|2.5.1\r");
  }
  static constexpr std::string_view kPid = "PID|1||P1^^^^MR||Roe^Jane||19800102|F\r";
  /// An ORU with one glucose result.
  static std::string oru(std::string_view control_id, std::string_view value,
                         std::string_view status = "F",
                         std::string_view time = "20260301101500+0100") {
    return core::cat(header("ORU^R01^ORU_R01", control_id, time), kPid,
                     "OBR|1|PL1|FI1|24323-8^Panel^LN|||20260301090000+0100|||||||||||||||", time,
                     "|||F\rOBX|1|NM|2345-7^Glucose^LN||", value, "|mg/dL|70-110|N|||", status,
                     "|||20260301090500+0100\r");
  }

  DeviceProfile device_;
};

}  // namespace gateway::adapters::hl7

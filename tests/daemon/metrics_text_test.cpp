#include "daemon/ops/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/api/metrics_face.h"

namespace gateway::daemon {
namespace {

using core::Json;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

Json parsed(const char* text) {
  auto json = Json::parse(text);
  EXPECT_TRUE(json.ok());
  return json.ok() ? *json : Json();
}

const char* const kStatus =
    R"({"state":"ready","version":"1.2","uptime_s":60,"reason":"ROE^JANE","problems":[{"component":"x","problem":"ROE^JANE"}],)"
    R"("queue":{"waiting":3,"parked":1,"letters":2},"inbox":{"waiting":6,"oldest_age_s":70},"reviews":{"open":4,"oldest_age_s":80},"uplinks":[{"name":"pa\"cs","kind":"stow","state":"up",)"
    R"("last_success":"1970-01-01T00:01:00Z","waiting":3,"parked":1,"oldest_age_s":9,"last_error":"ROE^JANE"},)"
    R"({"name":"his","kind":"fhir","state":"down"}],"dicom":{"counts":{"stored":7,"bytes":700,"associations_open":1}},)"
    R"("hl7":{"devices":[{"name":"lab","counts":{"stored":5,"dead":1}}]},"disk":{"free_bytes":10,"reserve_bytes":5},)"
    R"("storage":{"damaged_objects":0},"wear":[{"disk":"sda","passed":true,"used_percent":3,"media_errors":0,"age_s":60},)"
    R"({"disk":"vda","passed":null,"used_percent":null,"media_errors":null,"age_s":60}],"mqtt":{"configured":true,"connected":false}})";

std::string text_of(MetricsFormat format) {
  return metrics_text(parsed(kStatus), parsed(R"([{"key":"api.certificate_file","ends_at_s":99}])"),
                      {4096, 1.5}, format);
}

TEST(MetricsText, HoldsWhatTheStatusSaysUnderPrometheusNames) {
  const std::string text = text_of(MetricsFormat::open_metrics);
  for (const char* line : {
           "clinic_gateway_build_info{version=\"1.2\"} 1\n",
           "clinic_gateway_state{state=\"locked\"} 0\n",
           "clinic_gateway_state{state=\"ready\"} 1\n",
           "clinic_gateway_uplink_up{uplink=\"pa\\\"cs\",kind=\"stow\"} 1\n",
           "clinic_gateway_uplink_up{uplink=\"his\",kind=\"fhir\"} 0\n",
           "clinic_gateway_uplink_last_success_timestamp_seconds{uplink=\"pa\\\"cs\"} 60\n",
           "clinic_gateway_queue_parked{uplink=\"his\"} 0\n",
           "clinic_gateway_queue_oldest_age_seconds{uplink=\"pa\\\"cs\"} 9\n",
           "clinic_gateway_dicom_instances_stored_total 7\n",
           "clinic_gateway_dicom_received_bytes_total 700\n",
           "clinic_gateway_hl7_messages_total{device=\"lab\",outcome=\"dead\"} 1\n",
           "clinic_gateway_messages_held 2\n",
           "clinic_gateway_reviews_open 4\n",
           "clinic_gateway_reviews_oldest_age_seconds 80\n",
           "clinic_gateway_inbox_waiting 6\n",
           "clinic_gateway_inbox_oldest_age_seconds 70\n",
           "clinic_gateway_problems 1\n",
           "clinic_gateway_disk_healthy{disk=\"sda\"} 1\n",
           "clinic_gateway_disk_life_used_ratio{disk=\"sda\"} 0.03\n",
           "clinic_gateway_disk_unreadable_blocks{disk=\"sda\"} 0\n",
           "clinic_gateway_disk_report_age_seconds{disk=\"vda\"} 60\n",
           "clinic_gateway_mqtt_connected 0\n",
           "clinic_gateway_certificate_end_timestamp_seconds{key=\"api.certificate_file\"} 99\n",
           "process_resident_memory_bytes 4096\n",
           "process_cpu_seconds_total 1.50\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("disk_healthy{disk=\"vda\"}"))) << "it says nothing";
  EXPECT_THAT(text, Not(HasSubstr("queue_oldest_age_seconds{uplink=\"his\"}"))) << "nothing waits";
}

TEST(MetricsText, ComesInBothFormats) {
  const std::string open = text_of(MetricsFormat::open_metrics);
  EXPECT_THAT(open, HasSubstr("# TYPE clinic_gateway_dicom_instances_stored counter\n"));
  EXPECT_THAT(open, EndsWith("# EOF\n"));
  const std::string older = text_of(MetricsFormat::text_0_0_4);
  EXPECT_THAT(older, HasSubstr("# TYPE clinic_gateway_dicom_instances_stored_total counter\n"));
  EXPECT_THAT(older, Not(HasSubstr("# EOF")));
}

TEST(MetricsText, HoldsNobodysWords) {
  EXPECT_THAT(text_of(MetricsFormat::open_metrics), Not(HasSubstr("ROE")));
  const std::string locked =
      metrics_text(parsed(R"({"state":"locked","reason":"ROE^JANE"})"), Json(), {}, {});
  EXPECT_THAT(locked, HasSubstr("clinic_gateway_state{state=\"locked\"} 1\n"));
  EXPECT_THAT(locked, Not(HasSubstr("ROE")));
}

TEST(MetricsFace, LetsInThisMachineAndTheToken) {
  // printf %s secret | sha256sum
  const std::string hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
  EXPECT_TRUE(may_read_metrics("127.0.0.1", "", ""));
  EXPECT_TRUE(may_read_metrics("::1", "", hash));
  EXPECT_FALSE(may_read_metrics("10.0.0.9", "", hash));
  EXPECT_TRUE(may_read_metrics("10.0.0.9", "Bearer secret", hash));
  EXPECT_FALSE(may_read_metrics("10.0.0.9", "Bearer wrong", hash));
  EXPECT_FALSE(may_read_metrics("10.0.0.9", "Basic secret", hash));
  EXPECT_FALSE(may_read_metrics("10.0.0.9", "Bearer ", ""));
}

}  // namespace
}  // namespace gateway::daemon

#include "daemon/ops/wear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/text.h"
#include "daemon/ops/alarms.h"
#include "daemon/ops/doctor.h"
#include "temp_folder.h"

namespace gateway::daemon {
namespace {

namespace fs = std::filesystem;
using core::cat;
using core::Json;
using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string report(std::string_view members, int exit_status = 0) {
  return cat(R"({"json_format_version":[1,0],"smartctl":{"version":[7,3],"exit_status":)",
             exit_status, "},", members, R"("local_time":{"time_t":1795423910}})");
}

std::string nvme(bool passed, int used, int errors, int warning = 0) {
  return report(
      cat(R"("device":{"name":"/dev/nvme0n1","type":"nvme","protocol":"NVMe"},"model_name":"ROE^JANE",)",
          R"("smart_status":{"passed":)", passed ? "true" : "false", R"(,"nvme":{"value":0}},)",
          R"("nvme_smart_health_information_log":{"critical_warning":)", warning,
          R"(,"available_spare":100,"percentage_used":)", used,
          R"(,"data_units_written":123456789012,"media_errors":)", errors, "},"),
      passed ? 0 : 8);
}

std::string attribute(int id, std::string_view name, int value, std::int64_t raw) {
  return cat(R"({"id":)", id, R"(,"name":")", name, R"(","value":)", value,
             R"(,"worst":100,"thresh":0,"raw":{"value":)", raw, R"(,"string":")", raw, R"("}})");
}

std::string sata(const std::vector<std::string>& attributes, std::string_view more = "") {
  std::string rows;
  for (const std::string& row : attributes) rows += cat(rows.empty() ? "" : ",", row);
  return report(cat(R"("device":{"name":"/dev/sda","type":"sat","protocol":"ATA"},)",
                    R"("smart_status":{"passed":true},"ata_smart_attributes":{"revision":16,)",
                    R"("table":[)", rows, "]},", more));
}

std::vector<std::string> components(const DiskWear& wear) {
  std::vector<std::string> found;
  for (const Problem& problem : wear_problems({wear})) found.push_back(problem.component);
  return found;
}

TEST(Wear, OfAnNvmeDiskIsItsHealthLog) {
  const DiskWear wear = read_wear("nvme0n1", nvme(true, 3, 0));
  EXPECT_EQ(wear.problem, "");
  EXPECT_EQ(wear.passed, true);
  EXPECT_EQ(wear.used_percent, 3);
  EXPECT_EQ(wear.media_errors, 0);
  EXPECT_THAT(components(wear), IsEmpty());
}

TEST(Wear, HeatIsNoFailure) {
  const DiskWear warm = read_wear("nvme0n1", nvme(false, 3, 0, 2));
  EXPECT_EQ(warm.passed, true);
  EXPECT_THAT(components(warm), ElementsAre(kWearComponent));
  EXPECT_THAT(components(read_wear("nvme0n1", nvme(false, 3, 0, 6))),
              ElementsAre(kDiskFailureComponent));
}

TEST(Wear, OfASataDiskIsWhatItsMakerCallsItsLife) {
  EXPECT_EQ(read_wear("sda", sata({attribute(9, "Power_On_Hours", 99, 8000),
                                   attribute(231, "SSD_Life_Left", 91, 9)}))
                .used_percent,
            9);
  EXPECT_EQ(read_wear("sda", sata({attribute(177, "Wear_Leveling_Count", 60, 812)})).used_percent,
            40);
  EXPECT_EQ(
      read_wear("sda", sata({attribute(202, "Percent_Lifetime_Remain", 15, 85)})).used_percent, 85);
  EXPECT_EQ(read_wear("sda", sata({attribute(233, "Media_Wearout_Indicator", 100, 0),
                                   attribute(169, "Remaining_Lifetime_Perc", 70, 70)}))
                .used_percent,
            30)
      << "the worse of the two";
  // The same numbers, of other makers: not a life that is used up.
  const DiskWear other = read_wear("sda", sata({attribute(233, "SandForce_Internal", 0, 12345),
                                                attribute(231, "Temperature_Celsius", 30, 30),
                                                attribute(202, "Data_Address_Mark_Errs", 100, 0),
                                                attribute(230, "Media_Wearout_Indicator", 1, 0)}));
  EXPECT_EQ(other.used_percent, std::nullopt);
  EXPECT_EQ(other.passed, true);
}

TEST(Wear, OfASataDiskIsItsEnduranceIndicatorTooAndBlocksItCannotRead) {
  const DiskWear wear = read_wear(
      "sda",
      sata(
          {attribute(187, "Reported_Uncorrect", 100, 2),
           attribute(197, "Current_Pending_Sector", 100, 3)},
          R"("ata_device_statistics":{"pages":[{"number":1,"table":[{"offset":8,"value":77}]},)"
          R"({"number":7,"table":[{"offset":8,"name":"Percentage Used Endurance Indicator","value":12}]}]},)"));
  EXPECT_EQ(wear.used_percent, 12);
  EXPECT_EQ(wear.media_errors, 5);
  EXPECT_THAT(components(wear), ElementsAre("wear"));
}

TEST(Wear, WarnsWhileThereIsTimeAndIsCriticalWhenThereIsNone) {
  EXPECT_THAT(components(read_wear("sda", nvme(true, 79, 0))), IsEmpty());
  EXPECT_THAT(components(read_wear("sda", nvme(true, 80, 0))), ElementsAre("wear"));
  EXPECT_THAT(components(read_wear("sda", nvme(true, 99, 1))), ElementsAre("wear", "wear"));
  EXPECT_THAT(components(read_wear("sda", nvme(true, 100, 0))), ElementsAre("disk failure"));
  EXPECT_THAT(components(read_wear("sda", nvme(false, 5, 0))), ElementsAre("disk failure"));
  // Without a word of the judgement, its exit status still tells.
  EXPECT_EQ(read_wear("sda", report("", 8)).passed, false);
}

TEST(Wear, WhatCannotBeReadIsAProblemAndNotAGoodSign) {
  const std::string whole = nvme(true, 3, 0);
  for (const std::string& bad :
       {std::string(), std::string("garbage"), std::string(100, '\0'), std::string("{}"),
        std::string("[]"), whole.substr(0, whole.size() / 2), std::string(100'000, '['),
        std::string(R"({"json_format_version":[2,0],"smartctl":{"exit_status":0}})"),
        std::string(R"({"json_format_version":[1,0],"smartctl":{"exit_status":"0"}})")}) {
    const DiskWear wear = read_wear("sda", bad);
    EXPECT_EQ(wear.passed, std::nullopt);
    EXPECT_EQ(wear.used_percent, std::nullopt);
    EXPECT_THAT(components(wear), ElementsAre("wear")) << bad.substr(0, 80);
  }
  // What smartctl 7.3 wrote of a disk that is gone, and of a virtual one.
  const DiskWear gone = read_wear(
      "sda",
      R"({"json_format_version":[1,0],"smartctl":{"version":[7,3],"messages":[{"string":"Smartctl open device: )"
      R"(/dev/sda failed: No such device","severity":"error"}],"exit_status":2},"local_time":{"time_t":1795423910}})");
  EXPECT_THAT(gone.problem, HasSubstr("does not answer"));
  const DiskWear virtual_one = read_wear(
      "vda",
      R"({"json_format_version":[1,0],"smartctl":{"version":[7,3],"messages":[{"string":"/dev/vda: Unable to )"
      R"(detect device type","severity":"error"}],"exit_status":1},"local_time":{"time_t":1795423910}})");
  EXPECT_EQ(virtual_one.problem, "");
  EXPECT_EQ(virtual_one.passed, std::nullopt);
}

TEST(Wear, FiguresBeyondReasonAreBounded) {
  const DiskWear wear = read_wear(
      "sda",
      report(R"("nvme_smart_health_information_log":{"percentage_used":1e9,"media_errors":-1},)"));
  EXPECT_EQ(wear.used_percent, std::nullopt);
  EXPECT_EQ(wear.media_errors, std::nullopt);
  const DiskWear large = read_wear("sda", report(R"("nvme_smart_health_information_log":{)"
                                                 R"("percentage_used":9223372036854775807,)"
                                                 R"("media_errors":9223372036854775807},)"));
  EXPECT_EQ(large.used_percent, 255);
  EXPECT_EQ(large.media_errors, 1'000'000'000);
}

TEST(Wear, AReportIsNoOlderThanTheBoxIsUp) {
  const core::Wall then{std::chrono::hours(500'000)};
  EXPECT_EQ(report_age_s(then, then + seconds(90), hours(3)), 90);
  EXPECT_EQ(report_age_s(core::Wall{}, then, seconds(200)), 200) << "the clock was set since";
  EXPECT_EQ(report_age_s(then, core::Wall{}, seconds(200)), 0) << "and set back";
}

TEST(Wear, AnOldReportIsAWarning) {
  DiskWear wear = read_wear("sda", nvme(true, 3, 0));
  wear.age_s = 48 * 3600;
  EXPECT_THAT(components(wear), IsEmpty());
  wear.age_s = 48 * 3600 + 1;
  EXPECT_THAT(components(wear), ElementsAre("wear"));
}

/// A sysfs of a box whose root is LUKS on a RAID 1 of two partitions, beside an NVMe disk.
class Sysfs {
 public:
  Sysfs() {
    device("8:2", "pci/ata1/block/sda/sda2", "partition");
    device("8:18", "pci/ata2/block/sdb/sdb2", "partition");
    device("259:0", "pci/nvme/nvme0/nvme0n1", "size");
    device("9:0", "virtual/block/md0", "size");
    device("259:9", "virtual/block/md0/md0p1", "partition");
    device("253:0", "virtual/block/dm-0", "size");
    made_of("virtual/block/md0", "pci/ata1/block/sda/sda2");
    made_of("virtual/block/md0", "pci/ata2/block/sdb/sdb2");
    made_of("virtual/block/dm-0", "virtual/block/md0");
    made_of("virtual/block/dm-1", "virtual/block/dm-1");
    device("253:1", "virtual/block/dm-1", "size");
  }
  const std::string& path() const { return folder_.path(); }

 private:
  void device(const std::string& number, const std::string& place, const std::string& has) {
    const fs::path devices = fs::path(path()) / "devices" / place;
    fs::create_directories(devices);
    std::ofstream(devices / has) << "1\n";
    fs::create_directories(fs::path(path()) / "dev" / "block");
    fs::create_directory_symlink(devices, fs::path(path()) / "dev" / "block" / number);
  }
  void made_of(const std::string& above, const std::string& below) {
    const fs::path devices = fs::path(path()) / "devices";
    fs::create_directories(devices / above / "slaves");
    fs::create_directory_symlink(devices / below,
                                 devices / above / "slaves" / fs::path(below).filename());
  }
  TempFolder folder_;
};

TEST(Wear, IsOfTheDisksBelowTheFileSystem) {
  const Sysfs sysfs;
  EXPECT_THAT(disks_below(sysfs.path(), 8, 2), ElementsAre("sda"));
  EXPECT_THAT(disks_below(sysfs.path(), 259, 0), ElementsAre("nvme0n1"));
  EXPECT_THAT(disks_below(sysfs.path(), 253, 0), ElementsAre("sda", "sdb"));
  EXPECT_THAT(disks_below(sysfs.path(), 259, 9), ElementsAre("sda", "sdb")) << "a part of a RAID";
  EXPECT_THAT(disks_below(sysfs.path(), 0, 42), IsEmpty()) << "Btrfs, a tmpfs";
  EXPECT_THAT(disks_below(sysfs.path(), 253, 1), ElementsAre("dm-1")) << "a ring has an end";
}

TEST(Wear, IsToldToTheOperatorAndAsAlarms) {
  const DiskWear good = read_wear("sda", nvme(true, 12, 0));
  Vitals vitals;
  const auto detail = [&vitals](std::string_view check) {
    for (const Finding& finding : examine_vitals(vitals))
      if (finding.check == check) return finding.detail;
    return std::string();
  };
  EXPECT_THAT(detail("wear"), HasSubstr("not known"));
  add_wear(vitals, {good});
  EXPECT_EQ(detail("wear"), "sda: 12 % of its life is used");
  EXPECT_THAT(alarms_of(health_document(vitals, 1), Json::array()), IsEmpty());
  add_wear(vitals, {read_wear("sda", nvme(false, 85, 0))});
  EXPECT_THAT(detail("disk failure"), HasSubstr("disk sda: it says that it is failing"));
  const Json health = health_document(vitals, 1);
  EXPECT_EQ(health["wear"][0]["passed"], Json(false));
  EXPECT_EQ(health.dump().find("ROE"), std::string::npos) << "no word of the disk itself";
  const auto alarms = alarms_of(health, Json::array());
  ASSERT_EQ(alarms.size(), 2u);
  EXPECT_EQ(alarms[0].name, "part/disk failure");
  EXPECT_EQ(alarms[0].severity, "critical");
  EXPECT_EQ(alarms[1].name, "part/wear");
  EXPECT_EQ(alarms[1].severity, "warning");
}

}  // namespace
}  // namespace gateway::daemon

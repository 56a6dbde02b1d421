#include "core/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/config_change.h"
#include "core/text.h"

namespace gateway::core {
namespace {

std::vector<ConfigKey> keys() {
  ConfigKey name{.path = "site.name",
                 .meaning = "the site's name",
                 .default_text = "",
                 .required = true,
                 .choices = {}};
  ConfigKey port{.path = "dicom.port",
                 .type = KeyType::integer,
                 .meaning = "port",
                 .default_text = "11112",
                 .choices = {}};
  port.minimum = 1;
  port.maximum = 65535;
  ConfigKey url{.path = "uplink.*.url",
                .meaning = "base URL",
                .default_text = "",
                .required = true,
                .choices = {}};
  ConfigKey kind{
      .path = "uplink.*.kind", .meaning = "kind", .default_text = "", .choices = {"fhir", "stow"}};
  ConfigKey pull{.path = "uplink.*.pull",
                 .type = KeyType::text_list,
                 .meaning = "searches",
                 .default_text = R"(["Patient"])",
                 .choices = {}};
  return {name, port, url, kind, pull};
}

std::string mistakes(const char* text) {
  const auto config = Config::parse(text, "gateway.toml", keys());
  return config.ok() ? "" : config.error().message();
}

TEST(Config, TellsWhatAnotherSaysOtherwiseAndKeepsWhatItSaid) {
  const char* const kWritten = "[site]\nname = \"a\"\n[uplink.his]\nurl = \"u\"\nkind = \"fhir\"\n";
  const char* const kChanged =
      "[site]\nname = \"a\"\n[dicom]\nport = 104\n"
      "[uplink.his]\nurl = \"v\"\n[uplink.pacs]\nurl = \"w\"\n";
  const auto now = Config::parse(kWritten, "now", keys());
  auto next = Config::parse(kChanged, "next", keys());
  ASSERT_TRUE(now.ok() && next.ok());
  EXPECT_EQ(differences(*now, *next),
            (std::vector<std::string>{"dicom.port", "uplink.his.kind", "uplink.his.url",
                                      "uplink.pacs.url"}));
  EXPECT_TRUE(differences(*now, *now).empty());
  keep_as_in(*next, "uplink", *now);
  EXPECT_EQ(next->names("uplink"), std::vector<std::string>{"his"});
  EXPECT_EQ(differences(*now, *next), std::vector<std::string>{"dicom.port"});
}

TEST(Config, ReadsValuesAndDefaults) {
  const auto config = Config::parse(R"(
[site]
name = "north"
[uplink.his]
url = "https://his/fhir"
kind = "fhir"
)",
                                    "gateway.toml", keys());
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->text("site.name"), "north");
  EXPECT_EQ(config->integer("dicom.port"), 11112);
  EXPECT_EQ(config->names("uplink"), std::vector<std::string>{"his"});
  EXPECT_EQ(config->texts("uplink.his.pull"), std::vector<std::string>{"Patient"});
  EXPECT_EQ(config->where("uplink.his.url"), "gateway.toml:5");
}

TEST(Config, EveryMistakeIsNamedWithFileLineAndKey) {
  EXPECT_EQ(mistakes("[site]\nnmae = \"x\"\n"),
            "gateway.toml:2: site.nmae: is not a known key; did you mean site.name?\n"
            "gateway.toml:1: site.name: is missing; set it (the site's name)");
}

TEST(Config, AValueOutOfRangeOrOfAnotherTypeIsAMistake) {
  EXPECT_EQ(mistakes("site.name = \"x\"\n[dicom]\nport = 70000\n"),
            "gateway.toml:3: dicom.port: 70000 is outside 1 to 65535");
  EXPECT_EQ(mistakes("site.name = \"x\"\n[dicom]\nport = \"104\"\n"),
            "gateway.toml:3: dicom.port: must be a whole number (port)");
  EXPECT_EQ(mistakes("site.name = \"x\"\n[uplink.a]\nurl = \"u\"\nkind = \"ftp\"\n"),
            "gateway.toml:4: uplink.a.kind: \"ftp\" is not one of: fhir, stow");
}

TEST(Config, ARequiredKeyIsWantedWhereItsTableExists) {
  EXPECT_EQ(mistakes("site.name = \"x\"\n[uplink.a]\nkind = \"fhir\"\n"),
            "gateway.toml:2: uplink.a.url: is missing; set it (base URL)");
  EXPECT_EQ(mistakes("site.name = \"x\"\n"), "");
}

TEST(Config, ATableThatSetsNothingIsThereAllTheSame) {
  EXPECT_EQ(mistakes("site.name = \"x\"\n[uplink.a]\n"),
            "gateway.toml:2: uplink.a.url: is missing; set it (base URL)");
}

TEST(Config, ANameIsNotEmptyAndHasNoDot) {
  EXPECT_EQ(mistakes("site.name = \"x\"\n[uplink.\"\"]\nurl = \"u\"\n")
                .find("gateway.toml:2: uplink.\"\""),
            0u);
  EXPECT_EQ(mistakes("site.name = \"x\"\n[uplink.\"a.b\"]\nurl = \"u\"\n").find("gateway.toml:2"),
            0u);
}

TEST(Config, WhatCannotBeReadHidesNothingAndInventsNothing) {
  EXPECT_EQ(mistakes("[site\nname = \"x\"\n").find("is missing"), std::string::npos);
  // A value that is wrong is not missing.
  EXPECT_EQ(mistakes("[site]\nname = 7\n"),
            "gateway.toml:2: site.name: must be a text in quotes (the site's name)");
}

TEST(Config, AKeyOfFiftyThousandPartsIsAMistake) {
  std::string deep = "a";
  for (int i = 0; i < 50'000; ++i) deep += ".a";
  for (const std::string& text :
       {cat("[", deep, "]\n"), cat(deep, " = 1\n"), cat("a = {", deep, " = 1}\n")}) {
    EXPECT_EQ(mistakes(text.c_str()), "gateway.toml:1: has more than 16 dots; no key has");
  }
  // Dots in texts and remarks are no keys.
  EXPECT_EQ(mistakes("site.name = \"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s\" # . . . . . . . . . . "
                     ". . . . . . . .\n"),
            "");
}

TEST(Config, WhatIsNoFileIsSaidToBeNone) {
  std::string folder = (std::filesystem::temp_directory_path() / "gateway-config-XXXXXX").string();
  ASSERT_TRUE(::mkdtemp(folder.data()));
  const auto said = [&] {
    const auto config = Config::load(folder + "/gateway.toml", keys());
    return config.ok() ? std::string() : config.error().message();
  };
  EXPECT_EQ(said(), folder +
                        "/gateway.toml: is not there; write it (clinic-gateway.toml(5)), or name "
                        "another by --config");
  std::ofstream(folder + "/gateway.toml") << "site.name = \"a\"\n";
  std::filesystem::create_directories(folder + "/conf.d/a.toml");
  ASSERT_EQ(::mkfifo((folder + "/conf.d/b.toml").c_str(), 0600), 0);
  const std::string lines = said();
  EXPECT_NE(lines.find("a.toml: is not a file; put a file there or take it away"), lines.npos);
  EXPECT_NE(lines.find("b.toml: is not a file"), lines.npos);
  std::filesystem::remove_all(folder);
}

TEST(Config, WhatIsDroppedWasNeverThere) {
  auto config =
      Config::parse("site.name = \"x\"\n[uplink.a]\nurl = \"u\"\n[uplink.ab]\nurl = \"v\"\n",
                    "gateway.toml", keys());
  ASSERT_TRUE(config.ok()) << config.error().message();
  config->drop("uplink.a");
  EXPECT_EQ(config->names("uplink"), std::vector<std::string>{"ab"});
}

TEST(Config, BrokenTomlNamesTheLine) {
  EXPECT_EQ(mistakes("[site]\nname = \n").find("gateway.toml:2"), 0u);
}

TEST(Config, LaterFilesInConfDWinKeyByKey) {
  std::string folder = (std::filesystem::temp_directory_path() / "gateway-config-XXXXXX").string();
  ASSERT_TRUE(::mkdtemp(folder.data()));
  std::filesystem::create_directory(folder + "/conf.d");
  std::ofstream(folder + "/gateway.toml") << "site.name = \"default\"\ndicom.port = 1\n";
  std::ofstream(folder + "/conf.d/10-a.toml") << "dicom.port = 2\n";
  std::ofstream(folder + "/conf.d/20-b.toml") << "dicom.port = 3\n";
  std::ofstream(folder + "/conf.d/ignored.bak") << "dicom.port = 4\n";
  const auto config = Config::load(folder + "/gateway.toml", keys());
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->integer("dicom.port"), 3);
  EXPECT_EQ(config->text("site.name"), "default");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gateway::core

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "core/files.h"
#include "core/text.h"
#include "daemon/settings.h"
#include "temp_folder.h"

namespace gateway::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

core::Result<core::Config> parse(const std::string& text) {
  return core::Config::parse(text, "gateway.toml", all_config_keys());
}

/// The lines of all mistakes in `text`, joined; parsing itself must succeed.
std::string mistakes_in(const std::string& text) {
  const auto config = parse(text);
  if (!config.ok()) return "unparsable: " + config.error().message();
  std::string lines;
  for (const Mistake& mistake : check_config(*config, all_config_keys())) {
    lines += mistake.line() + (mistake.fatal ? " [fatal]\n" : " [later]\n");
  }
  return lines;
}

TEST(ConfigCheck, TakesTheSmallestConfiguration) {
  EXPECT_EQ(mistakes_in("[site]\nname = \"clinic-1\"\n"), "");
}

TEST(ConfigCheck, AnUnknownKeyNamesFileLineAndKey) {
  const auto config = parse("[site]\nname = \"a\"\ntimezon = \"UTC\"\n");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(config.error().message(), HasSubstr("gateway.toml:3: site.timezon"));
  EXPECT_THAT(config.error().message(), HasSubstr("site.timezone"));
}

TEST(ConfigCheck, TheSiteNameIsRequired) {
  const auto config = parse("");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(config.error().message(), HasSubstr("site.name"));
}

TEST(ConfigCheck, RefusesASiteNameThatIsNoTopicLevel) {
  for (const char* name : {"", "Clinic", "a/b", "a+", "a b", "abcdefghijabcdefghijabcdefghij123"}) {
    EXPECT_THAT(mistakes_in(std::string("[site]\nname = \"") + name + "\"\n"),
                HasSubstr("gateway.toml:2: site.name"))
        << name;
  }
}

TEST(ConfigCheck, KnowsTheTimeZonesOfTheSystem) {
  EXPECT_TRUE(is_time_zone("UTC"));
  EXPECT_TRUE(is_time_zone("Africa/Blantyre"));
  EXPECT_FALSE(is_time_zone("Mars/Olympus"));
  EXPECT_FALSE(is_time_zone("../../etc/passwd"));
  EXPECT_FALSE(is_time_zone("Africa"));
  EXPECT_FALSE(is_time_zone(""));
}

TEST(ConfigCheck, AFileThatIsNotThereKeepsNobodyFromStarting) {
  EXPECT_THAT(mistakes_in("[site]\nname = \"a\"\n[keys]\npassphrase_file = \"/nowhere/p\"\n"),
              HasSubstr("gateway.toml:4: keys.passphrase_file: /nowhere/p: No such file or "
                        "directory; put it there [later]"));
}

TEST(ConfigCheck, TheBackupLiesApartFromTheStateFolder) {
  const auto with = [](const std::string& folder) {
    return mistakes_in(
        "[site]\nname = \"a\"\n[storage]\nstate_dir = \"/nowhere/state\"\n"
        "[backup]\ndir = \"" +
        folder + "\"\n");
  };
  EXPECT_EQ(with("/nowhere/backup"), "");
  for (const char* folder : {"/nowhere/state", "/nowhere/state/objects", "/nowhere"}) {
    EXPECT_THAT(with(folder), HasSubstr("gateway.toml:6: backup.dir: ")) << folder;
    EXPECT_THAT(with(folder), HasSubstr("[fatal]")) << folder;
  }
  EXPECT_THAT(with("backup"), HasSubstr("is no absolute path"));
}

TEST(ConfigCheck, ASecretOpenToEveryoneIsNamed) {
  const TempFolder folder;
  const std::string file = folder.path() + "/passphrase";
  std::ofstream(file) << "secret\n";
  ::chmod(file.c_str(), 0644);
  const std::string text = "[site]\nname = \"a\"\n[keys]\npassphrase_file = \"" + file + "\"\n";
  EXPECT_THAT(mistakes_in(text), HasSubstr("open to every user; chmod o-rwx"));
  ::chmod(file.c_str(), 0640);
  EXPECT_EQ(mistakes_in(text), "");
}

TEST(ConfigCheck, TheBrokerNeedsTlsUnlessItIsOnThisMachine) {
  const std::string site = "[site]\nname = \"a\"\n[mqtt]\nplain = true\n";
  EXPECT_THAT(mistakes_in(site + "host = \"broker.example\"\n"),
              HasSubstr("mqtt.plain: true is for a broker on this machine only"));
  EXPECT_EQ(mistakes_in(site + "host = \"127.0.0.1\"\n"), "");
  EXPECT_EQ(mistakes_in(site + "host = \"::1\"\n"), "");
}

TEST(ConfigCheck, MqttKeysWithoutAHostAreAMistake) {
  EXPECT_THAT(mistakes_in("[site]\nname = \"a\"\n[mqtt]\nport = 1883\n"),
              HasSubstr("mqtt.port: is set but mqtt.host is not"));
}

std::string with(const std::string& more) { return "[site]\nname = \"a\"\n" + more; }

TEST(ConfigCheck, ACertificateNeedsItsKeyAndTheOtherWayRound) {
  const std::string uplink =
      with("[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example/fhir\"\n");
  EXPECT_THAT(mistakes_in(uplink + "certificate_file = \"/dev/null\"\n"),
              HasSubstr("uplink.his.certificate_file: needs uplink.his.key_file; set it too"));
  EXPECT_THAT(mistakes_in(uplink + "key_file = \"/dev/null\"\n"),
              HasSubstr("uplink.his.key_file: needs uplink.his.certificate_file; set it too"));
  EXPECT_THAT(mistakes_in(with("[mqtt]\nhost = \"b.example\"\nkey_file = \"/dev/null\"\n")),
              HasSubstr("mqtt.key_file: needs mqtt.certificate_file"));
}

TEST(ConfigCheck, APullIsASearch) {
  const std::string uplink =
      with("[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example/fhir\"\npull = ");
  EXPECT_EQ(mistakes_in(uplink + "[\"Patient\", \"ServiceRequest?category=imaging\"]\n"), "");
  for (const char* search : {"../x y", "", "patient", "Patient/1", "Patient?a b", "Patient#x"}) {
    EXPECT_THAT(
        mistakes_in(uplink + "[\"" + search + "\"]\n"),
        HasSubstr("gateway.toml:6: uplink.his.pull: \"" + std::string(search) + "\" is no search"));
  }
}

TEST(ConfigCheck, HintsComeFromAPathOfAFhirServerAtAnyTime) {
  const auto uplink = [](const std::string& kind, const std::string& more) {
    return with("[uplink.his]\nkind = \"" + kind +
                "\"\nurl = \"https://his.example/fhir\"\nhints_path = " + more);
  };
  EXPECT_EQ(mistakes_in(uplink("fhir", "\"/fhir/websocket\"\n")), "");
  EXPECT_THAT(
      mistakes_in(uplink("fhir", "\"wss://his.example/websocket\"\n")),
      HasSubstr("gateway.toml:6: uplink.his.hints_path: \"wss://his.example/websocket\" is no "
                "path on the server"));
  EXPECT_THAT(mistakes_in(uplink("stow", "\"/websocket\"\n")),
              HasSubstr("only uplinks of kind fhir"));
  EXPECT_THAT(mistakes_in(uplink("fhir", "\"/websocket\"\nhours = [\"22:00-06:00\"]\n")),
              HasSubstr("hints come at any time"));
}

TEST(ConfigCheck, AnAccessionPrefixLeavesRoomForItsNumber) {
  EXPECT_EQ(mistakes_in(with("[worklist]\naccession_prefix = \"NORTH-12\"\n")), "");
  for (const char* prefix : {"NORTH-123", "A\\\\B", "A B"}) {
    EXPECT_THAT(
        mistakes_in(with("[worklist]\naccession_prefix = \"" + std::string(prefix) + "\"\n")),
        HasSubstr("worklist.accession_prefix"));
  }
}

TEST(ConfigCheck, RetentionBeginsAboveTheReserve) {
  const std::string text = with("[storage]\nreserve_mb = 1024\n[retention]\nfree_below_mb = ");
  EXPECT_THAT(mistakes_in(text + "512\n"), HasSubstr("gateway.toml:6: retention.free_below_mb"));
  EXPECT_EQ(mistakes_in(text + "2048\n"), "");
  EXPECT_EQ(mistakes_in(text + "0\n"), "");
}

TEST(ConfigCheck, PriorsAreFetchedByDicomWeb) {
  const std::string text = with(
      "[uplink.pacs]\nkind = \"stow\"\nurl = \"https://pacs.example/dicom-web\"\n"
      "[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example/fhir\"\n"
      "[prefetch]\nuplink = ");
  EXPECT_EQ(mistakes_in(text + "\"pacs\"\n"), "");
  EXPECT_THAT(mistakes_in(text + "\"his\"\n"),
              HasSubstr("gateway.toml:10: prefetch.uplink: there is no [uplink.his] of kind stow"));
  EXPECT_THAT(mistakes_in(text + "\"other\"\n"), HasSubstr("[uplink.other] of kind stow"));
}

TEST(ConfigCheck, AnAddressToListenOnIsAnAddress) {
  EXPECT_THAT(mistakes_in(with("[dicom]\nbind = \"nohost\"\n")),
              HasSubstr("gateway.toml:4: dicom.bind: \"nohost\" is no IP address"));
  EXPECT_EQ(mistakes_in(with("[dicom]\nbind = \"::1\"\n")), "");
}

TEST(ConfigCheck, AHostIsNoUrl) {
  EXPECT_THAT(mistakes_in("[site]\nname = \"a\"\n[mqtt]\nhost = \"mqtts://broker.example\"\n"),
              HasSubstr("is no host name or address"));
}

TEST(ConfigCheck, PatientDataGoesNowhereInTheClear) {
  const std::string uplink = "[site]\nname = \"a\"\n[uplink.his]\nkind = \"fhir\"\nurl = \"http://";
  EXPECT_THAT(mistakes_in(uplink + "his.example/fhir\"\n"),
              HasSubstr("gateway.toml:5: uplink.his.url: http:// to his.example would send patient "
                        "data in the clear"));
  EXPECT_EQ(mistakes_in(uplink + "127.0.0.1:8080/fhir\"\n"), "");
}

TEST(ConfigCheck, AMalformedUrlNamesItsPlace) {
  EXPECT_THAT(mistakes_in("[site]\nname = \"a\"\n[uplink.his]\nkind = \"fhir\"\n"
                          "url = \"his.example\"\n"),
              HasSubstr("gateway.toml:5: uplink.his.url"));
}

TEST(ConfigCheck, HoursThatAreNoneNameTheirPlace) {
  const std::string uplink =
      "[site]\nname = \"a\"\n[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example\"\n";
  EXPECT_THAT(mistakes_in(uplink + "hours = [\"10pm-6am\"]\n"),
              HasSubstr("gateway.toml:6: uplink.his.hours: \"10pm-6am\" is no time of day"));
  EXPECT_EQ(mistakes_in(uplink + "hours = [\"22:00-06:00\"]\n"), "");
}

TEST(ConfigCheck, AProxyThatIsNoneNamesItsPlace) {
  const std::string uplink =
      "[site]\nname = \"a\"\n[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example\"\n";
  EXPECT_THAT(mistakes_in(uplink + "proxy = \"proxy.example:3128\"\n"),
              HasSubstr("gateway.toml:6: uplink.his.proxy: "));
  EXPECT_THAT(mistakes_in(uplink + "proxy_username = \"clinic\"\n"),
              HasSubstr("gateway.toml:6: uplink.his.proxy_username"));
  EXPECT_EQ(mistakes_in(uplink + "proxy = \"http://proxy.example:3128\"\n"), "");
}

TEST(ConfigCheck, AnAeTitleTooLongIsNamedOnce) {
  EXPECT_THAT(mistakes_in("[site]\nname = \"a\"\n[dicom]\nae_title = \"ABCDEFGHIJKLMNOPQ\"\n"),
              testing::MatchesRegex("gateway.toml:4: dicom.ae_title: [^:]*16[^:]* .fatal.\n"));
}

TEST(ConfigCheck, ADevicesUnknownZoneOrCharacterSetIsNamed) {
  const std::string device =
      "[site]\nname = \"a\"\n[device.lab]\nprotocol = \"hl7\"\nport = 2575\n";
  EXPECT_EQ(mistakes_in(device), "");
  EXPECT_THAT(mistakes_in(device + "timezone = \"Mars/Olympus\"\n"),
              HasSubstr("gateway.toml:6: device.lab.timezone: no such time zone"));
  EXPECT_THAT(mistakes_in(device + "character_set = \"EBCDIC\"\n"),
              HasSubstr("gateway.toml:6: device.lab.character_set: unknown"));
}

TEST(ConfigCheck, RelativePathsAndLongSocketsAreRefused) {
  EXPECT_THAT(mistakes_in("[site]\nname = \"a\"\n[storage]\nstate_dir = \"state\"\n"),
              HasSubstr("storage.state_dir: \"state\" is no absolute path"));
  EXPECT_THAT(
      mistakes_in("[site]\nname = \"a\"\n[control]\nsocket = \"/" + std::string(120, 'x') + "\"\n"),
      HasSubstr("control.socket: is longer than"));
}

TEST(ConfigCheck, ASparkplugGroupIsOneLevelAndNeedsItsEncoding) {
  const std::string mqtt = "[mqtt]\nhost = \"b.example\"\n";
  EXPECT_THAT(mistakes_in(with(mqtt + "encoding = \"sparkplug\"\n")), HasSubstr("mqtt.encoding"));
  const std::string sparkplug = mqtt + "encoding = \"sparkplug-b\"\n";
  EXPECT_EQ(mistakes_in(with(sparkplug + "sparkplug_group = \"clinics\"\n")), "");
  for (const char* bad : {"", "a/b", "+", "#"}) {
    EXPECT_THAT(mistakes_in(with(sparkplug + "sparkplug_group = \"" + bad + "\"\n")),
                HasSubstr("mqtt.sparkplug_group: \"" + std::string(bad) + "\" is no group id"));
  }
  EXPECT_THAT(mistakes_in(with(mqtt + "sparkplug_group = \"clinics\"\n")),
              HasSubstr("mqtt.sparkplug_group: has no effect with mqtt.encoding = \"json\""));
}

TEST(ConfigCheck, CommandsNeedABrokerAKeyAndAKnownKind) {
  EXPECT_THAT(mistakes_in(with("[commands]\nallowed = [\"explode\"]\n")),
              HasSubstr("commands.allowed: \"explode\" is no kind of command"));
  const std::string alone = mistakes_in(with("[commands]\nallowed = [\"resend\"]\n"));
  EXPECT_THAT(alone, HasSubstr("commands come over MQTT; set mqtt.host too"));
  EXPECT_THAT(alone, HasSubstr("nobody could sign a command"));
  const TempFolder folder;
  const std::string file = folder.path() + "/key.pem";
  std::ofstream(file) << "not a key\n";
  EXPECT_THAT(mistakes_in(with("[commands.key.central]\npublic_key_file = \"" + file + "\"\n")),
              HasSubstr("commands.key.central.public_key_file: this is no ED25519 public key"));
}

TEST(ConfigCheck, TheManualNamesEveryKey) {
  const auto manual = core::read_whole_file(
      core::system_files(), std::string(GATEWAY_SOURCE_DIR) + "/docs/man/clinic-gateway.toml.5",
      1 << 20);
  ASSERT_TRUE(manual.ok());
  for (const core::ConfigKey& key : all_config_keys()) {
    EXPECT_THAT(*manual, HasSubstr("\n.B " + key.path + "\n"));
  }
}

TEST(ConfigCheck, TheManualNamesEveryKeyUnderItsTable) {
  const auto manual = core::read_whole_file(
      core::system_files(), std::string(GATEWAY_SOURCE_DIR) + "/docs/man/clinic-gateway.toml.5",
      1 << 20);
  ASSERT_TRUE(manual.ok());
  for (const core::ConfigKey& key : all_config_keys()) {
    const auto at = manual->find("\n.B " + key.path + "\n");
    const auto heading = manual->rfind("\n.SS [", at) + 6;
    std::string table = manual->substr(heading, manual->find(']', heading) - heading);
    if (table.ends_with(".*")) table.resize(table.size() - 2);
    EXPECT_TRUE(key.path.starts_with(table + ".")) << key.path << " is under [" << table << "]";
  }
}

TEST(ConfigCheck, ACaFileWithoutACertificateIsNamed) {
  const TempFolder folder;
  const std::string file = folder.path() + "/ca.pem";
  std::ofstream(file) << "not a certificate\n";
  EXPECT_THAT(mistakes_in(with("[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example\"\n"
                               "ca_file = \"" +
                               file + "\"\n")),
              HasSubstr("gateway.toml:6: uplink.his.ca_file: " + file + " holds no certificate"));
}

TEST(ConfigCheck, DicomsTlsIsBlamedOnTheKeyThatWasSet) {
  EXPECT_THAT(mistakes_in(with("[dicom]\ntls_certificate_file = \"/nowhere/c\"\n")),
              HasSubstr("gateway.toml:4: dicom.tls_certificate_file: it needs dicom.tls_key_file; "
                        "set it too [fatal]\n"));
}

TEST(ConfigCheck, FilesForTlsToAPeerNeedItsTls) {
  const std::string peer =
      with("[dicom.peer.pacs]\nae_title = \"PACS\"\nhost = \"pacs.example\"\n");
  EXPECT_EQ(mistakes_in(peer + "tls = true\n"), "");
  EXPECT_THAT(mistakes_in(peer + "ca_file = \"/dev/null\"\n"),
              HasSubstr("gateway.toml:6: dicom.peer.pacs.ca_file: is for TLS; set "
                        "dicom.peer.pacs.tls = true too [fatal]\n"));
  EXPECT_THAT(mistakes_in(peer + "tls = true\nkey_file = \"/dev/null\"\n"),
              HasSubstr("dicom.peer.pacs.key_file: needs dicom.peer.pacs.certificate_file"));
}

TEST(ConfigCheck, AThirdPartyAdapterNeedsATokenAndASocketThatCanBe) {
  const std::string table = with("[device.bridge]\nprotocol = \"socket\"\n");
  const std::string token = "token_sha256 = \"" + std::string(64, 'A') + "\"\n";
  EXPECT_EQ(mistakes_in(table + token), "");
  EXPECT_THAT(mistakes_in(table), HasSubstr("device.bridge.token_sha256: must be 64 hexadecimal "
                                            "digits: printf %s TOKEN | sha256sum"));
  EXPECT_THAT(mistakes_in(table + "token_sha256 = \"secret\"\n"),
              HasSubstr("gateway.toml:5: device.bridge.token_sha256: must be 64"));
  EXPECT_THAT(mistakes_in(table + token + "socket = \"bridge.sock\"\n"),
              HasSubstr("gateway.toml:6: device.bridge.socket: write the socket's absolute path"));
  EXPECT_THAT(mistakes_in(table + token + "socket = \"/" + std::string(120, 's') + "\"\n"),
              HasSubstr("device.bridge.socket: the socket path must have 1 to 107 characters"));
}

TEST(ConfigCheck, AnUplinkOfOrdersSaysWhereAndWhich) {
  const std::string lab = "[uplink.lab]\nkind = \"hl7\"\n";
  const std::string which = "order_categories = [\"108252007\"]\n";
  EXPECT_EQ(mistakes_in(with(lab + which + "url = \"mllps://lab.example:2576\"\n")), "");
  EXPECT_EQ(mistakes_in(with(lab + which + "url = \"mllp://lab.example:2576\"\nplain = true\n")),
            "");
  EXPECT_EQ(mistakes_in(with(lab + which + "url = \"mllp://127.0.0.1:2576\"\n")), "");
  EXPECT_THAT(mistakes_in(with(lab + which + "url = \"mllp://lab.example:2576\"\n")),
              HasSubstr("gateway.toml:6: uplink.lab.url: orders would go in the clear"));
  for (const char* url :
       {"https://lab.example", "mllps://lab.example", "mllps://lab.example:2576/x"})
    EXPECT_THAT(mistakes_in(with(core::cat(lab, which, "url = \"", url, "\"\n"))),
                HasSubstr("write mllps://HOST:PORT [fatal]"));
  EXPECT_THAT(mistakes_in(with(lab + "url = \"mllps://lab.example:2576\"\n")),
              HasSubstr("uplink.lab.order_categories: is missing; say which orders go there"));
  EXPECT_THAT(
      mistakes_in(with(lab + which + "url = \"mllps://l.example:1\"\npull = [\"Patient\"]\n")),
      HasSubstr("uplink.lab.pull: means nothing to an uplink of kind hl7; remove it"));
  EXPECT_THAT(
      mistakes_in(with(lab + which + "url = \"mllps://l.example:1\"\nhours = [\"22:00-06:00\"]\n")),
      HasSubstr("uplink.lab.hours: means nothing to an uplink of kind hl7; remove it"));
  EXPECT_THAT(
      mistakes_in(with("[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example\"\n" + which)),
      HasSubstr("uplink.his.order_categories: is for uplinks of kind hl7; remove it"));
}

TEST(ConfigCheck, FilesForTlsOnADevicesLineNeedTheOthers) {
  const std::string calls = with("[device.lab]\nprotocol = \"hl7\"\nport = 2575\n");
  EXPECT_THAT(mistakes_in(calls + "certificate_file = \"/dev/null\"\n"),
              HasSubstr("gateway.toml:6: device.lab.certificate_file: needs device.lab.key_file; "
                        "set it too [fatal]\n"));
  EXPECT_THAT(mistakes_in(calls + "client_ca_file = \"/dev/null\"\n"),
              HasSubstr("gateway.toml:6: device.lab.client_ca_file: needs "
                        "device.lab.certificate_file; set it too [fatal]\n"));
  EXPECT_THAT(mistakes_in(calls + "tls = true\n"),
              HasSubstr("gateway.toml:6: device.lab.tls: is for a device that is called; where it "
                        "calls, TLS comes with certificate_file [fatal]\n"));
  const std::string is_called = with(
      "[device.lab]\nprotocol = \"astm\"\nhost = \"10.0.0.7\"\nport = 4000\n"
      "profile = \"generic-astm\"\n");
  EXPECT_THAT(mistakes_in(is_called + "tls = true\n"), Not(HasSubstr("[fatal]")));
  EXPECT_THAT(mistakes_in(is_called + "ca_file = \"/dev/null\"\n"),
              HasSubstr("gateway.toml:8: device.lab.ca_file: is for TLS; set device.lab.tls = true "
                        "too [fatal]\n"));
  EXPECT_THAT(mistakes_in(is_called + "client_ca_file = \"/dev/null\"\n"),
              HasSubstr("gateway.toml:8: device.lab.client_ca_file: is for a device that calls; "
                        "this one is called: write ca_file [fatal]\n"));
  EXPECT_THAT(mistakes_in(with("[device.lab]\nprotocol = \"astm\"\nprofile = \"generic-astm\"\n"
                               "serial_port = \"/dev/ttyS0\"\ntls = true\n")),
              HasSubstr("device.lab.tls: a serial line knows no TLS; remove it [fatal]\n"));
}

TEST(ConfigCheck, WhereAnAnalyzerTakesItsWorkOrdersIsAnAddress) {
  const std::string lab = with("[device.lab]\nprotocol = \"hl7\"\nport = 2575\n");
  const std::string asks = lab + "specimen_id_issuer = \"urn:oid:2.25.2\"\n";
  EXPECT_THAT(mistakes_in(asks + "orders_url = \"mllp://lab.lan:2576\"\n"),
              Not(HasSubstr("[fatal]")));
  EXPECT_THAT(mistakes_in(lab + "orders_url = \"mllp://lab.lan:2576\"\n"),
              HasSubstr("gateway.toml:6: device.lab.orders_url: no order is known by the number on "
                        "a tube; set device.lab.specimen_id_issuer too [fatal]\n"));
  EXPECT_THAT(mistakes_in(asks + "orders_url = \"https://lab.lan\"\n"),
              HasSubstr("gateway.toml:7: device.lab.orders_url: is no address of a device; write "
                        "mllps://HOST:PORT [fatal]\n"));
  EXPECT_THAT(mistakes_in(asks + "orders_url = \"mllp://lab.lan:2576\"\nca_file = \"/x\"\n"),
              HasSubstr("gateway.toml:8: device.lab.ca_file: is for TLS; write mllps:// in "
                        "device.lab.orders_url [fatal]\n"));
  for (const char* protocol : {"astm\"\nprofile = \"generic-astm", "poct1a"}) {
    EXPECT_THAT(mistakes_in(with("[device.lab]\norders_url = \"mllp://lab.lan:2576\"\nport = 4000\n"
                                 "ca_file = \"/x\"\nprotocol = \"") +
                            protocol + "\"\n"),
                HasSubstr("gateway.toml:4: device.lab.orders_url: is for analyzers that ask over "
                          "hl7 (IHE LAW); remove it [fatal]\n"));
  }
}

TEST(ConfigCheck, AUserOfADeviceIsOneThatIsThere) {
  const TempFolder folder;
  const std::string file = folder.path() + "/passcode";
  std::ofstream(file) << "word\n";
  ::chmod(file.c_str(), 0640);
  const std::string user =
      with("[dicom.user.tech]\nusername = \"technician\"\npasscode_file = \"" + file + "\"\n");
  EXPECT_EQ(mistakes_in(user + "[dicom]\nusers = [\"tech\"]\n"), "");
  EXPECT_THAT(mistakes_in(user + "[dicom]\nusers = [\"technician\"]\n"),
              HasSubstr("gateway.toml:7: dicom.users: there is no [dicom.user.technician]; add it "
                        "[fatal]"));
  EXPECT_THAT(mistakes_in(user + "[dicom.peer.ct]\nae_title = \"CT1\"\nusers = [\"nobody\"]\n"),
              HasSubstr("gateway.toml:8: dicom.peer.ct.users: there is no [dicom.user.nobody]"));
  ::chmod(file.c_str(), 0644);
  EXPECT_THAT(mistakes_in(user),
              HasSubstr("dicom.user.tech.passcode_file: " + file + " is open to every user"));
}

TEST(ConfigCheck, AnUplinkHasOneWayToSayWhoWeAre) {
  const TempFolder folder;
  const std::string file = folder.path() + "/token";
  const auto with = [&](const std::string& token, const std::string& more) {
    std::ofstream(file) << token;
    ::chmod(file.c_str(), 0600);
    return mistakes_in(
        "[site]\nname = \"clinic-1\"\n[uplink.his]\nkind = \"fhir\"\n"
        "url = \"https://his.example/fhir\"\ntoken_file = \"" +
        file + "\"\n" + more);
  };
  EXPECT_EQ(with("abc.def\n", ""), "");
  EXPECT_THAT(with("two words\n", ""), HasSubstr("gateway.toml:6: uplink.his.token_file"));
  EXPECT_THAT(with("abc.def\n", "username = \"u\"\n"), HasSubstr("keep one of the two"));
  EXPECT_THAT(with("abc.def\n", "token_url = \"https://his.example/token\"\n"),
              HasSubstr("keep one of the two"));
  ::chmod(file.c_str(), 0604);
  EXPECT_THAT(mistakes_in("[site]\nname = \"clinic-1\"\n[uplink.his]\nkind = \"fhir\"\n"
                          "url = \"https://his.example/fhir\"\ntoken_file = \"" +
                          file + "\"\n"),
              HasSubstr("open to every user"));
}

TEST(ConfigCheck, AHubForLargeImagesIsOfAStowUplinkAndHasToKnowUs) {
  const std::string stow = with("[uplink.pacs]\nkind = \"stow\"\nurl = \"https://pacs.example\"\n");
  const std::string url = "resumable_url = \"https://hub.example/uploads\"\n";
  EXPECT_THAT(mistakes_in(stow + url),
              HasSubstr("uplink.pacs.resumable_url: the hub has to know us: set "
                        "uplink.pacs.resumable_token_file"));
  EXPECT_THAT(mistakes_in(stow + "resumable_over_mb = 4\n"),
              HasSubstr("uplink.pacs.resumable_over_mb: has no effect without "
                        "uplink.pacs.resumable_url"));
  EXPECT_THAT(mistakes_in(stow + "resumable_url = \"http://hub.example/uploads\"\n"),
              HasSubstr("would send patient data in the clear"));
  EXPECT_THAT(
      mistakes_in(with("[uplink.his]\nkind = \"fhir\"\nurl = \"https://his.example\"\n") + url),
      HasSubstr("uplink.his.resumable_url: is for uplinks of kind stow; remove it"));
  const TempFolder folder;
  const std::string file = folder.path() + "/token";
  std::ofstream(file) << "abc.def\n";
  ::chmod(file.c_str(), 0600);
  const std::string known = stow + url + "resumable_token_file = \"" + file + "\"\n";
  EXPECT_EQ(mistakes_in(known), "");
  ::chmod(file.c_str(), 0604);
  EXPECT_THAT(mistakes_in(known), HasSubstr("open to every user"));
}

TEST(ConfigCheck, ARouteNamesUplinksAndTitlesThatAreThere) {
  const std::string pacs = with(
      "[uplink.pacs]\nkind = \"stow\"\nurl = \"https://pacs.example\"\n[dicom.route.urgent]\n");
  EXPECT_EQ(mistakes_in(pacs + "uplinks = [\"pacs\"]\npriority = \"stat\"\n"), "");
  EXPECT_THAT(mistakes_in(pacs + "uplinks = [\"vna\"]\n"),
              HasSubstr("gateway.toml:7: dicom.route.urgent.uplinks: there is no [uplink.vna] that "
                        "takes images; add it, or name another [fatal]"));
  const std::string called = pacs + "priority = \"stat\"\ncalled_ae_titles = [\"STAT1\"]\n";
  EXPECT_THAT(mistakes_in(called),
              HasSubstr("gateway.toml:8: dicom.route.urgent.called_ae_titles: the gateway does not "
                        "answer to \"STAT1\"; add it to dicom.more_ae_titles [later]"));
  EXPECT_EQ(mistakes_in(called + "[dicom]\nmore_ae_titles = [\"STAT?\"]\n"), "");
}

TEST(ConfigCheck, AnUplinkByCStoreNamesAPeerThatCanBeCalledOverTls) {
  const std::string uplink = with("[uplink.pacs]\nkind = \"dicom\"\n");
  EXPECT_THAT(mistakes_in(uplink),
              HasSubstr("uplink.pacs.peer: is missing; name the [dicom.peer.NAME] of the PACS"));
  const std::string named = uplink + "peer = \"far\"\n";
  EXPECT_THAT(mistakes_in(named),
              HasSubstr("gateway.toml:5: uplink.pacs.peer: there is no [dicom.peer.far]; add it"));
  const std::string peer = "[dicom.peer.far]\nae_title = \"PACS\"\n";
  EXPECT_THAT(mistakes_in(named + peer), HasSubstr("[dicom.peer.far] has no host; set it"));
  const std::string called = "host = \"pacs.example\"\n";
  EXPECT_THAT(mistakes_in(named + peer + called), HasSubstr("images would go in the clear"));
  EXPECT_EQ(mistakes_in(named + peer + called + "tls = true\n"), "");
  EXPECT_EQ(mistakes_in(named + "plain = true\n" + peer + called), "");
  EXPECT_EQ(mistakes_in(named + peer + "host = \"127.0.0.1\"\n"), "");
  EXPECT_THAT(mistakes_in(named + "[dicom.peer.far]\nae_title = \"PA*\"\n" + called),
              HasSubstr("has a pattern as ae_title"));
  EXPECT_THAT(mistakes_in(named + "url = \"https://pacs.example\"\n" + peer + called),
              HasSubstr("uplink.pacs.url: means nothing to an uplink of kind dicom"));
}

TEST(ConfigCheck, AnUplinkByHttpNeedsItsUrlAndNoPeer) {
  const std::string uplink = with("[uplink.pacs]\nkind = \"stow\"\n");
  EXPECT_THAT(mistakes_in(uplink), HasSubstr("uplink.pacs.url: is missing; set it"));
  EXPECT_THAT(mistakes_in(uplink + "url = \"https://pacs.example\"\npeer = \"far\"\n"),
              HasSubstr("uplink.pacs.peer: is for uplinks of kind dicom; remove it"));
}

TEST(ConfigCheck, SettingsReadWhatWasWritten) {
  const auto config = parse(
      "[site]\nname = \"clinic-1\"\ntimezone = \"Africa/Blantyre\"\n[storage]\nreserve_mb = 64\n"
      "[mqtt]\nhost = \"broker.example\"\nhealth_every_s = 5\n");
  ASSERT_TRUE(config.ok()) << config.error().message();
  const Settings settings = read_settings(*config);
  EXPECT_EQ(settings.site_name, "clinic-1");
  EXPECT_EQ(settings.time_zone, "Africa/Blantyre");
  EXPECT_EQ(settings.reserve_bytes, 64u << 20);
  EXPECT_EQ(settings.state_folder, "/var/lib/clinic-gateway");
  EXPECT_EQ(settings.control_socket, kControlSocket);
  ASSERT_TRUE(settings.mqtt);
  EXPECT_EQ(settings.mqtt->port, 8883);
  EXPECT_EQ(settings.mqtt->health_every_s, 5);
  EXPECT_EQ(settings.mqtt->topic_prefix, "clinic-gateway/v1");
}

}  // namespace
}  // namespace gateway::daemon

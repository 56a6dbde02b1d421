// Thousands of starts would say thousands of times what they swept up.
#include <gtest/gtest.h>

#include "core/log.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  gateway::core::set_log_level(gateway::core::Level::error);
  return RUN_ALL_TESTS();
}

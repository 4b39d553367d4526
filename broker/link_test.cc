#include "broker/link.h"

#include <gtest/gtest.h>

namespace pawl::broker {
namespace {

TEST(Link, TopicNamesTheDeviceAndBack) {
  EXPECT_EQ(LinkTopic("default", "dev-1"), "pawl/1/default/dev-1/link");
  EXPECT_EQ(DeviceOfLinkTopic("pawl/1/default/dev-1/link"), "dev-1");
}

TEST(Link, OtherTopicsAreNone) {
  for (const char* topic : {"", "/link", "pawl/1/default/dev-1/up", "pawl/1/default/link", "pawl/2/default/dev-1/link",
                            "pawl/1/default/DEV/link", "pawl/1/default/a/b/link", "pawl/1/default/dev-1/up/link"}) {
    EXPECT_FALSE(DeviceOfLinkTopic(topic)) << topic;
  }
}

}  // namespace
}  // namespace pawl::broker

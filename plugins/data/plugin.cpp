#include "engine/plugin/plugin.h"

#include "plugins/data/blend.h"
#include "plugins/data/mock.h"
#include "plugins/data/open.h"

STILLROOM_PLUGIN("data", "0.1.0") {
    registry.add<stillroom::data::Blend>();
    registry.add<stillroom::data::Mock>();
    registry.add<stillroom::data::Open>();
}

#include <engine/plugin/plugin.h>

#include "count.h"

STILLROOM_PLUGIN("words", "0.1.0") {
    registry.add<stillroom::words::Count>();
}

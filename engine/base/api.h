#pragma once

/// Marks what libstillroom.so exports; everything else is hidden.
#define STILLROOM_API __attribute__((visibility("default")))

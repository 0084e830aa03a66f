#pragma once

#include "engine/base/api.h"

#include <string_view>

namespace stillroom::lm {

// What the files of a model folder are, by their paths in it.

/// A program that poses as data: never opened, never fetched, never passed on.
STILLROOM_API bool is_pickle(std::string_view path);
STILLROOM_API bool is_code(std::string_view path);

/// Of a model beside its weights: configuration, tokenizer, templates, licence, card, index.
STILLROOM_API bool is_small_model_file(std::string_view path);

}  // namespace stillroom::lm

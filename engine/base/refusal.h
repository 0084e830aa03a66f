#pragma once

#include <new>
#include <system_error>

namespace stillroom {

/// std::bad_alloc if that is what the error says: a folder that cannot be listed and a path that
/// cannot be resolved are not there, as far as anybody else reads it.
inline void refuse_no_memory(const std::error_code& error) {
    if (error == std::errc::not_enough_memory)
        throw std::bad_alloc();
}

}  // namespace stillroom

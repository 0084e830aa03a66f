#include "engine/base/random.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <random>

namespace stillroom {

// Not std::random_device first: it asks the processor what it is each time, which a virtual machine
// answers slowly.
std::string random_name(std::size_t bytes) {
    std::string drawn(bytes, '\0');
    if (::getrandom(drawn.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
        std::random_device device;
        for (char& byte : drawn)
            byte = static_cast<char>(device());
    }
    std::string name;
    for (char byte : drawn)
        name += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return name;
}

}  // namespace stillroom

// Any bytes are a file. What is accepted keeps its word: tensors lie one behind the other up to the
// end of the file, names lead to them, their bytes can be read, and the file that we write of them
// is read as the same.

#include "engine/base/error.h"
#include "plugins/lm/weights/safetensors.h"
#include "plugins/lm/weights/tensor_layout.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace stillroom::lm;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void use(const TensorFile& file) {
    std::uint64_t end = file.tensors().empty() ? file.size() : file.tensors().front().offset;
    for (const TensorInfo& info : file.tensors()) {
        require(info.offset == end, "tensors lie one behind the other");
        end += info.bytes;
        require(end <= file.size(), "a tensor ends inside the file");
        require(static_cast<std::uint64_t>(elements(info.shape)) *
                        static_cast<std::uint64_t>(bits_of(info.dtype)) ==
                    info.bytes * 8,
                "a tensor has the bytes of its shape");
        require(file.find(info.name) == &info, "a name leads to its tensor");
        std::vector<std::byte> copy(info.bytes);
        file.read(info, copy);
        std::span<const std::byte> bytes = file.bytes(info);
        require(bytes.size() == copy.size(), "all bytes are there");
        require(copy.empty() || std::memcmp(copy.data(), bytes.data(), copy.size()) == 0,
                "both ways lead to the same bytes");
    }
    require(end == file.size(), "the last tensor ends the file");
}

void write_again(const TensorFile& file) {
    TensorMetadata metadata(file.metadata().begin(), file.metadata().end());
    FileLayout layout = lay_out_file("again", file.tensors(), metadata);
    SafetensorsHeader header = read_safetensors_header(
        std::string_view(layout.header).substr(8), layout.size - layout.header.size(), "again");
    require(header.tensors.size() == file.tensors().size(), "no tensor is lost");
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
        const TensorInfo& again = header.tensors[i];
        const TensorInfo& written = layout.tensors[i];
        const TensorInfo* before = file.find(again.name);
        require(before && before->dtype == again.dtype && before->shape == again.shape &&
                    before->bytes == again.bytes,
                "a tensor is read as it was written");
        require(header.find(written.name)->offset + layout.header.size() == written.offset,
                "it lies where the layout says");
    }
    require(TensorMetadata(header.metadata.begin(), header.metadata.end()) == metadata,
            "metadata survives");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    int fd = ::memfd_create("safetensors", 0);
    require(fd >= 0, "there is a place for the file");
    std::string path = "/proc/self/fd/" + std::to_string(fd);
    require(::write(fd, data, size) == static_cast<ssize_t>(size), "it is written");
    try {
        TensorFile file = TensorFile::open(path);
        use(file);
        write_again(file);
    } catch (const stillroom::Error& error) {
        require(error.exit_code() == stillroom::kExitBadInput, "it is the input that is bad");
    }
    ::close(fd);
    return 0;
}

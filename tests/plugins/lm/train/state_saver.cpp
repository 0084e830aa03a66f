// Saves a small training's states; killed and starved by state_writer_test.cpp.
//
//   state_saver WORK FIRST LAST     keeping one; what cannot be written ends it with its exit code

#include "engine/base/error.h"
#include "tests/plugins/lm/train/small_training.h"

#include <cstdio>
#include <cstdlib>

using namespace stillroom;
using namespace stillroom::lm;

int main(int, char** argv) {
    try {
        StatePlace place = SmallTraining::place(argv[1]);
        place.keep = 1;
        StateWriter writer(place);
        for (int step = std::atoi(argv[2]); step <= std::atoi(argv[3]); ++step)
            writer.write(SmallTraining().share(step), SmallTraining::point(step));
        writer.wait();
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.render().c_str());
        return error.exit_code();
    }
}

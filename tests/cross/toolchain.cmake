# CMake toolchain: builds for another Debian architecture with Debian's cross compiler, and runs what
# was built under qemu-user.
#
#   cmake --toolchain tests/cross/toolchain.cmake -DDEVREG_ARCH=arm64 -DDEVREG_ROOT=DIR ...
#
# DIR comes from tests/cross/prepare. arm64 and armhf are known.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES DEVREG_ARCH DEVREG_ROOT)
if(DEVREG_ARCH STREQUAL "arm64")
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
  set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
elseif(DEVREG_ARCH STREQUAL "armhf")
  set(CMAKE_SYSTEM_PROCESSOR arm)
  set(CMAKE_LIBRARY_ARCHITECTURE arm-linux-gnueabihf)
else()
  message(FATAL_ERROR "DEVREG_ARCH is '${DEVREG_ARCH}': give it as arm64 or armhf")
endif()
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${CMAKE_LIBRARY_ARCHITECTURE}-gcc)
set(CMAKE_SYSROOT ${DEVREG_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${CMAKE_SYSTEM_PROCESSOR} -L ${DEVREG_ROOT})
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${DEVREG_ROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    ${DEVREG_ROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig:${DEVREG_ROOT}/usr/share/pkgconfig)
# For cpack, which needs DPKG_ADMINDIR=DIR/var/lib/dpkg in its environment, too.
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${DEVREG_ARCH})
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS
    ${DEVREG_ROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} ${DEVREG_ROOT}/lib/${CMAKE_LIBRARY_ARCHITECTURE})

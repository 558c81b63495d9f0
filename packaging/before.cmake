# Run by cpack before all else: stops what would become a wrong package.
cmake_policy(VERSION 3.25)
if(NOT CPACK_PACKAGING_INSTALL_PREFIX STREQUAL "/usr")
  message(FATAL_ERROR "the package is for /usr, and this build for "
      "${CPACK_PACKAGING_INSTALL_PREFIX}: build it with 'cmake --preset package'")
endif()

# The changelog tells the package's revision, and the time that all its files get, so that the same
# source makes the same package. SOURCE_DATE_EPOCH in the environment is for packagers.
file(STRINGS "${CPACK_DEVREG_CHANGELOG}" changelog)
list(GET changelog 0 entry)
if(NOT entry MATCHES "^devreg \\(([^-]+)-([^-)]+)\\)" OR
   NOT CMAKE_MATCH_1 STREQUAL CPACK_PACKAGE_VERSION)
  message(FATAL_ERROR "packaging/debian/changelog begins with '${entry}', but this is "
      "${CPACK_PACKAGE_VERSION}: give it an entry for that version")
endif()
set(CPACK_DEBIAN_PACKAGE_RELEASE ${CMAKE_MATCH_2})
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  list(FILTER changelog INCLUDE REGEX "^ -- ")
  list(GET changelog 0 signed)
  string(REGEX REPLACE "^ -- .*>  " "" signed "${signed}")
  execute_process(COMMAND date -d "${signed}" +%s OUTPUT_VARIABLE epoch
      OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()

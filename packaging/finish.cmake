# Run by cpack between the installation into its own folder and the packing: what Debian's policy
# wants of files that a plain installation leaves as they are.
cmake_policy(VERSION 3.25)
set(stage ${CPACK_TEMPORARY_INSTALL_DIRECTORY})

file(GLOB programs ${stage}/*/usr/bin/devreg ${stage}/*/usr/lib/devreg.so)
execute_process(COMMAND ${CPACK_DEVREG_STRIP} --strip-unneeded --remove-section=.comment
    --remove-section=.note ${programs} COMMAND_ERROR_IS_FATAL ANY)

file(GLOB_RECURSE pages ${stage}/*/usr/share/man/*.[1-9]
    ${stage}/*/usr/share/doc/devreg/changelog*)
execute_process(COMMAND gzip -9nf ${pages} COMMAND_ERROR_IS_FATAL ANY)

# Whatever the umask, the checkout's modes and the time are.
execute_process(COMMAND chmod -R u=rwX,go=rX ${stage} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND find ${stage}
    -exec touch --no-dereference --date=@$ENV{SOURCE_DATE_EPOCH} {} + COMMAND_ERROR_IS_FATAL ANY)

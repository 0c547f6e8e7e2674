# The archive of a tag exists only after the tag is made. vcpkg prints its SHA512; replace the 0 by it.
vcpkg_from_github(
    OUT_SOURCE_PATH SOURCE_PATH
    REPO OWNER/wechatpay-bonus-commit
    REF "v${VERSION}"
    SHA512 0
    HEAD_REF main
)

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DWECHATPAY_BONUS_COMMIT_BUILD_TESTS=OFF
        -DWECHATPAY_BONUS_COMMIT_BUILD_TOOL=OFF
        -DWECHATPAY_BONUS_COMMIT_BUILD_EXAMPLES=OFF
        -DWECHATPAY_BONUS_COMMIT_BUILD_TESTING_SUPPORT=OFF
        -DWECHATPAY_BONUS_COMMIT_BUILD_SANDBOX=OFF
        -DFETCHCONTENT_FULLY_DISCONNECTED=ON
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME wechatpay_bonus_commit CONFIG_PATH lib/cmake/wechatpay_bonus_commit)
vcpkg_fixup_pkgconfig()
vcpkg_copy_pdbs()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")

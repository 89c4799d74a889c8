// How Leadglass sets up OHIF: one source of images, which is the origin that this file came from.

// What an address may say. OHIF knows other words that name a source, a configuration, a customisation or a token;
// they are taken away before it looks, and so is all that stands behind "#".
(() => {
  const known = ["studyinstanceuids", "seriesinstanceuids", "initialseriesinstanceuid", "initialsopinstanceuid", "hangingprotocolid"];
  const uids = /^[0-9A-Za-z.@/_,-]{1,4096}$/;
  const asked = new URLSearchParams(window.location.search);
  const kept = new URLSearchParams();
  for (const [name, value] of asked) {
    if (known.includes(name.toLowerCase()) && uids.test(value)) kept.append(name, value);
  }
  if (kept.size !== asked.size || window.location.hash) {
    const query = kept.size ? "?" + kept : "";
    window.history.replaceState(null, "", window.location.pathname + query);
  }
})();

window.PUBLIC_URL = "/";
window.browserImportFunction = name => import(name);

window.config = {
  name: "leadglass",
  routerBasename: null,
  extensions: [],
  modes: [],
  customizationService: [{ "ohif.tours": { $set: [] } }], // no tour that darkens the first image
  // Studies are found at Leadglass's own pages; here are those that were opened.
  showStudyList: false,
  investigationalUseDialog: { option: "never" },
  showWarningMessageForCrossOrigin: false,
  showErrorDetails: "production",
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  maxNumberOfWebWorkers: 3,
  maxNumRequests: { interaction: 100, thumbnail: 10, prefetch: 25 },
  defaultDataSourceName: "leadglass",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "leadglass",
      configuration: {
        friendlyName: "Leadglass",
        name: "leadglass",
        qidoRoot: "/dicom-web",
        wadoRoot: "/dicom-web",
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: false,
        supportsWildcard: true,
        imageRendering: "wadors",
        thumbnailRendering: "thumbnail",
        thumbnailRequestStrategy: "fetch",
        enableStudyLazyLoad: true,
        omitQuotationForMultipartRequest: false,
        singlepart: "bulkdata,video,pdf",
        bulkDataURI: { enabled: true },
        dicomUploadEnabled: false,
        supportsReject: false,
        supportsStow: false
      }
    }
  ]
};

// What the viewer runs before itself; `openpacs` (facts.py) is written above.
/* global openpacs */
window.PUBLIC_URL = openpacs.site.base;
console.time("scriptToView"); // the viewer ends this timer, and complains where there is none
window.browserImportFunction = (module) => import(module);

// Where the session has ended the person signs in, and comes back to the same study.
function signInAgain() {
  const here = encodeURIComponent(location.pathname + location.search);
  location.assign(`${openpacs.site.signIn}?next=${here}`);
}

const isOurs = (url) => new URL(url, location.href).origin === location.origin;

// The viewer stores with POST and knows no CSRF token: every write to our own origin gets it.
// Not all of its requests tell httpErrorHandler how they ended: all are listened to.
(() => {
  const { open, send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    const ours = isOurs(url);
    this.openpacsWrite = ours && !["GET", "HEAD", "OPTIONS"].includes(method.toUpperCase());
    if (ours) this.addEventListener("load", () => this.status === 401 && signInAgain());
    return open.call(this, method, url, ...rest);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (this.openpacsWrite) {
      this.setRequestHeader("X-CSRFToken", openpacs.site.csrfToken);
    }
    return send.call(this, body);
  };
  const { fetch } = window;
  window.fetch = async (...asked) => {
    const answer = await fetch(...asked);
    if (answer.status === 401 && isOurs(answer.url)) signInAgain();
    return answer;
  };
})();

// Habits belong to the person: what somebody else left in this browser goes away.
for (const name of openpacs.preferences.names) {
  const text = openpacs.preferences.stored[name];
  if (text === undefined) localStorage.removeItem(name);
  else localStorage.setItem(name, text);
}

window.config = {
  routerBasename: null,
  extensions: [openpacs.site.extension],
  modes: [],
  customizationService: [{ "ohif.tours": { $set: [] } }],
  showStudyList: false,
  showPatientInfo: "disabled", // the strip on top says it as the report does
  // Beside a report the images have the width; the series are one press away.
  modesConfiguration: {
    "@ohif/mode-longitudinal": {
      routes: {
        0: { layoutInstance: { props: { leftPanelClosed: { $set: window.self !== window.top } } } },
      },
    },
  },
  maxNumberOfWebWorkers: 3,
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: false,
  showLoadingIndicator: true,
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  showErrorDetails: "dev",
  investigationalUseDialog: { option: "never" },
  studyPrefetcher: { enabled: true, displaySetsCount: 2, maxNumPrefetchRequests: 10 },
  maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
  defaultDataSourceName: "openpacs",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "openpacs",
      configuration: {
        friendlyName: openpacs.site.name,
        name: "openpacs",
        wadoUriRoot: openpacs.site.dicomweb,
        qidoRoot: openpacs.site.dicomweb,
        wadoRoot: openpacs.site.dicomweb,
        qidoSupportsIncludeField: true,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        supportsReject: false,
        imageRendering: "wadors",
        // Small pictures that are kept, instead of a whole frame of each series.
        thumbnailRendering: "thumbnail",
        thumbnailRequestStrategy: "fetch",
        enableStudyLazyLoad: true,
        dicomUploadEnabled: openpacs.site.mayStore,
        acceptHeader: ["application/octet-stream; transfer-syntax=*"],
        singlepart: "bulkdata,pdf,video",
        bulkDataURI: { enabled: true },
      },
    },
  ],
  // The viewer itself would only say that the study is not available.
  httpErrorHandler: (error) => {
    if (error.status === 401) signInAgain();
  },
  whiteLabeling: {
    createLogoComponentFn: (React) => {
      openpacs.React = React; // for buttons and panels of our extension
      return React.createElement(
        "a",
        { href: openpacs.navigation.home, className: "text-primary", title: openpacs.navigation.words.home },
        openpacs.site.name,
      );
    },
  },
};

// Shows the gateway's own OpenAPI document; every operation can be tried at once.
const root = document.getElementById('root');

window.SwaggerUIBundle({
  domNode: root,
  url: root.dataset.document,
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: () => {
    const title = document.querySelector('.info .title');
    document.title = title?.firstChild?.textContent ?? document.title;
  },
});

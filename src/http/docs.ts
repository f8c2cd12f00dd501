import { Router } from 'express'
import swaggerUi from 'swagger-ui-express'

/** Everything comes from this server; inline styles are Swagger UI's own. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** What the page needs to know. */
export interface Docs {
  readonly headers: Readonly<Record<string, string>>
  readonly baseUrl: string
  readonly clientId: string
}

/** Swagger UI takes many seconds for all types of FHIR; the document that stands below `/openapi.json` has them. */
const documentUrl = '/openapi.json?type=common'

/**
 * Leaves out of a form what nobody filled in: Swagger UI sends each field that it shows, and an empty search parameter is refused. It
 * runs in the browser, as its own text.
 */
export function withoutEmptyFields<R extends { readonly headers: object; body?: unknown }>(request: R): R {
  if (typeof request.body === 'string' && JSON.stringify(request.headers).includes('x-www-form-urlencoded'))
    request.body = request.body
      .split('&')
      .filter(field => !field.endsWith('='))
      .join('&')
  return request
}

/** @see https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration and …/usage/oauth2 */
function optionsFor(baseUrl: string, clientId: string) {
  return {
    validatorUrl: null,
    tryItOutEnabled: true,
    docExpansion: 'none',
    filter: true,
    requestInterceptor: withoutEmptyFields,
    oauth2RedirectUrl: `${baseUrl}/docs/oauth2-redirect.html`,
    oauth: {
      clientId,
      appName: 'API page',
      usePkceWithAuthorizationCodeGrant: true,
      scopes: ['openid', 'user/*.cruds'],
      additionalQueryStringParams: { aud: `${baseUrl}/fhir` },
    },
  }
}

/**
 * The page that shows the OpenAPI document and lets one try it.
 *
 * @param headers   the strict headers; the page needs a policy of its own, and its files may be kept by the browser
 * @param clientId  the client that the authorisation server has for this page
 */
export function docsRouter({ headers, baseUrl, clientId }: Docs): Router {
  const router = Router()
  router.use((_request, response, next) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.setHeader('content-security-policy', policy)
    // The login page has the same; else the browser would part the two windows, and no token would come back.
    response.setHeader('cross-origin-opener-policy', 'same-origin')
    next()
  })
  const swaggerOptions = optionsFor(baseUrl, clientId)
  router.use(swaggerUi.serveFiles(undefined, { swaggerUrl: documentUrl, swaggerOptions }))
  router.get(
    '/',
    swaggerUi.setup(undefined, { swaggerUrl: documentUrl, swaggerOptions, customSiteTitle: 'Kinhold API' }),
  )
  return router
}

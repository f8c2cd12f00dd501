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

/**
 * The page that shows the OpenAPI document and lets one try it.
 *
 * @param headers  the strict headers; the page needs a policy of its own, and its files may be kept by the browser
 */
export function docsRouter(headers: Readonly<Record<string, string>>): Router {
  const router = Router()
  router.use((_request, response, next) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    response.setHeader('content-security-policy', policy)
    next()
  })
  const swaggerOptions = { url: '/openapi.json', validatorUrl: null, tryItOutEnabled: true }
  router.use(swaggerUi.serveFiles(undefined, { swaggerUrl: '/openapi.json', swaggerOptions }))
  router.get(
    '/',
    swaggerUi.setup(undefined, { swaggerUrl: '/openapi.json', swaggerOptions, customSiteTitle: 'Kinhold API' }),
  )
  return router
}

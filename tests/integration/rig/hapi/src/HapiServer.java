import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.IDaoRegistry;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.config.util.ResourceCountCacheUtil;
import ca.uhn.fhir.jpa.dao.FulltextSearchSvcImpl;
import ca.uhn.fhir.jpa.dao.IFulltextSearchSvc;
import ca.uhn.fhir.jpa.dao.search.HSearchSortHelperImpl;
import ca.uhn.fhir.jpa.dao.search.IHSearchSortHelper;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.provider.DaoRegistryResourceSupportedSvc;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.search.IStaleSearchDeletingSvc;
import ca.uhn.fhir.jpa.search.StaleSearchDeletingSvcImpl;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.match.config.SubscriptionProcessorConfig;
import ca.uhn.fhir.jpa.subscription.match.config.WebsocketDispatcherConfig;
import ca.uhn.fhir.jpa.subscription.match.deliver.email.IEmailSender;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.jpa.util.ResourceCountCache;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.IResourceSupportedSvc;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import java.util.Properties;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.ee10.websocket.jakarta.server.config.JakartaWebSocketServletContainerInitializer;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.hibernate.cfg.AvailableSettings;
import org.hibernate.dialect.Dialect;
import org.hibernate.search.mapper.orm.cfg.HibernateOrmMapperSettings;
import org.hl7.fhir.dstu2.model.Subscription.SubscriptionChannelType;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.transaction.annotation.EnableTransactionManagement;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;
import org.springframework.web.servlet.DispatcherServlet;

/**
 * HAPI FHIR JPA, R4, on an in-memory H2, served at https://127.0.0.1:PORT/fhir by Jetty's own TLS. Subscriptions with a websocket
 * channel are bound at wss://127.0.0.1:PORT/websocket, where the property hapi.websocket is true: beside the FHIR base, as in HAPI's
 * starter project.
 *
 * <p>Usage: HapiServer PORT KEYSTORE.p12; the keystore's password is read from the environment variable HAPI_KEYSTORE_PASSWORD.
 * Behaviour towards clients is HAPI's default (search results reused for 60 s, numeric client ids refused, 409 on a stale
 * If-Match, up to 5 s from a write to its ping) and Jetty's (a websocket silent for 30 s is closed), because those are what the
 * gateway has to live with. Exits non-zero when it can't serve.
 */
public final class HapiServer {

  @Configuration
  @EnableTransactionManagement
  @Import({
    JpaR4Config.class,
    ThreadPoolFactoryConfig.class,
    SubscriptionSubmitterConfig.class,
    SubscriptionProcessorConfig.class,
    SubscriptionChannelConfig.class,
    WebsocketDispatcherConfig.class,
    JpaBatch2Config.class,
    Batch2JobsConfig.class
  })
  public static class Storage {
    @Bean
    public DataSource dataSource() {
      BasicDataSource source = new BasicDataSource();
      source.setDriverClassName("org.h2.Driver");
      source.setUrl("jdbc:h2:mem:hapi;DB_CLOSE_DELAY=-1");
      source.setUsername("sa");
      source.setPassword("");
      source.setMaxTotal(20);
      return source;
    }

    @Bean
    @Primary
    public LocalContainerEntityManagerFactoryBean entityManagerFactory(
        ConfigurableListableBeanFactory beans, FhirContext context, JpaStorageSettings settings) {
      LocalContainerEntityManagerFactoryBean factory =
          HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
      Properties jpa = new Properties();
      jpa.put(AvailableSettings.DIALECT, HapiFhirH2Dialect.class.getName());
      jpa.put(AvailableSettings.HBM2DDL_AUTO, "create");
      jpa.put(AvailableSettings.STATEMENT_BATCH_SIZE, "20");
      // Lucene would double the start-up time and no search of ours is full text.
      jpa.put(HibernateOrmMapperSettings.ENABLED, "false");
      factory.setPersistenceUnitName("HAPI_PU");
      factory.setJpaProperties(jpa);
      factory.setDataSource(dataSource());
      return factory;
    }

    @Bean
    @Primary
    public JpaTransactionManager transactionManager(EntityManagerFactory factory) {
      return new JpaTransactionManager(factory);
    }

    @Bean
    @Primary
    public HibernatePropertiesProvider hibernatePropertiesProvider() {
      return new HibernatePropertiesProvider() {
        @Override
        public Dialect getDialect() {
          return new HapiFhirH2Dialect();
        }
      };
    }

    @Bean
    public JpaStorageSettings storageSettings() {
      return new JpaStorageSettings();
    }

    @Bean
    public PartitionSettings partitionSettings() {
      return new PartitionSettings();
    }

    @Bean
    public SubscriptionSettings subscriptionSettings() {
      SubscriptionSettings settings = new SubscriptionSettings();
      // Then HAPI queues every write, whether anybody has subscribed or not.
      if (Boolean.getBoolean("hapi.websocket")) {
        settings.addSupportedSubscriptionType(SubscriptionChannelType.WEBSOCKET);
      }
      return settings;
    }

    @Bean
    public IEmailSender emailSender() {
      return details -> {
        throw new UnsupportedOperationException("this server sends no e-mail");
      };
    }

    @Bean
    public IFulltextSearchSvc fullTextSearchSvc() {
      return new FulltextSearchSvcImpl();
    }

    @Bean
    public IHSearchSortHelper hSearchSortHelper(ISearchParamRegistry registry) {
      return new HSearchSortHelperImpl(registry);
    }

    @Bean
    public IStaleSearchDeletingSvc staleSearchDeletingSvc() {
      return new StaleSearchDeletingSvcImpl();
    }

    @Bean
    public DatabaseBackedPagingProvider databaseBackedPagingProvider() {
      return new DatabaseBackedPagingProvider();
    }

    @Bean
    public IResourceSupportedSvc resourceSupportedSvc(IDaoRegistry registry) {
      return new DaoRegistryResourceSupportedSvc(registry);
    }

    @Bean(name = "myResourceCountsCache")
    public ResourceCountCache resourceCountsCache(IFhirSystemDao<?, ?> dao) {
      return ResourceCountCacheUtil.newResourceCountCache(dao);
    }
  }

  private static RestfulServer fhirServlet(ApplicationContext beans) {
    IFhirSystemDao<?, ?> dao = beans.getBean(IFhirSystemDao.class);
    JpaStorageSettings settings = beans.getBean(JpaStorageSettings.class);
    RestfulServer server = new RestfulServer(dao.getContext());
    server.setDefaultResponseEncoding(EncodingEnum.JSON);
    server.registerProviders(beans.getBean(ResourceProviderFactory.class).createProviders());
    server.registerProvider(beans.getBean(IJpaSystemProvider.class));
    server.setPagingProvider(beans.getBean(DatabaseBackedPagingProvider.class));
    server.setServerConformanceProvider(
        new JpaCapabilityStatementProvider(
            server,
            dao,
            settings,
            beans.getBean(ISearchParamRegistry.class),
            beans.getBean(IValidationSupport.class)));
    beans.getAutowireCapableBeanFactory().autowireBean(server);
    return server;
  }

  private static ServerConnector tlsConnector(Server jetty, int port, String keystore) {
    SslContextFactory.Server tls = new SslContextFactory.Server();
    tls.setKeyStorePath(keystore);
    tls.setKeyStoreType("PKCS12");
    tls.setKeyStorePassword(System.getenv("HAPI_KEYSTORE_PASSWORD"));
    HttpConfiguration http = new HttpConfiguration();
    // The peers are addressed by IP, which carries no SNI.
    http.addCustomizer(new SecureRequestCustomizer(false));
    ServerConnector connector = new ServerConnector(jetty, tls, new HttpConnectionFactory(http));
    connector.setHost("127.0.0.1");
    connector.setPort(port);
    return connector;
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 2 || System.getenv("HAPI_KEYSTORE_PASSWORD") == null) {
      System.err.println("usage: HAPI_KEYSTORE_PASSWORD=... HapiServer PORT KEYSTORE.p12");
      System.exit(64);
    }
    try {
      AnnotationConfigWebApplicationContext beans = new AnnotationConfigWebApplicationContext();
      beans.register(Storage.class);
      beans.refresh();
      Server jetty = new Server();
      jetty.addConnector(tlsConnector(jetty, Integer.parseInt(args[0]), args[1]));
      ServletContextHandler root = new ServletContextHandler("/");
      root.addServlet(new ServletHolder(fhirServlet(beans)), "/fhir/*");
      JakartaWebSocketServletContainerInitializer.configure(root, null);
      root.addServlet(
          new ServletHolder(new DispatcherServlet(beans)),
          beans.getBean(SubscriptionSettings.class).getWebsocketContextPath());
      jetty.setHandler(root);
      jetty.start();
      jetty.join();
    } catch (Throwable reason) {
      // Spring's schedulers are not daemon threads: without this the process would stay, serving nothing.
      reason.printStackTrace();
      System.exit(1);
    }
  }
}
